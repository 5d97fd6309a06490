"""From a folded vocoder, and a scale table where it is quantized, to an artifact."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..compress.bits import Bits
from ..compress.dynamic import quantize_dynamic
from ..compress.folded import FoldedVocoder
from ..compress.graph import PreparedGraph, prepare
from ..compress.prepared import run_form
from ..compress.quantizer import WEIGHTED_MODULES
from ..compress.recipes import Recipe
from ..compress.scale_table import ScaleTable
from ..errors import VcompressError
from ..runtime.artifact import MANIFEST, Artifact, GraphSpec, LayerRow, Manifest
from ..runtime.files import sha256, write_text
from ..vocoders.forms import Form
from .c.program import TargetFacts
from .formats import ONNX, check_installed, derive
from .inspection import bytes_by_kind, kernels, ports
from .onnx_graph import export_graph
from .tensorrt import check_graph

Progress = Callable[[int, int, str], None]


def write_artifact(
    vocoder: FoldedVocoder,
    recipe: Recipe,
    name: str,
    folder: Path,
    table: ScaleTable | None = None,
    progress: Progress = lambda done, total, what: None,
    bits: Bits | None = None,
    formats: Sequence[str] = (ONNX,),
    target: TargetFacts | None = None,
) -> Artifact:
    """Export every form and write the manifest; `folder` is there whole or not at all. `table` for integer recipes but dynamic.

    `bits`: what is not 8 bits; the family's own choice where none is given. `formats`: see `formats.py`; ONNX is always written. `target`: what C is for.

    Raises VcompressError when the table does not fit the network, a graph has no translation to a format, or the place cannot be written.
    """
    check_installed(formats)
    if recipe.folded:
        vocoder = vocoder.with_schedule_folded()
    bits = bits or Bits.of(vocoder.family, vocoder.trained.config)
    if bits.symmetric != recipe.symmetric:
        raise VcompressError(f"The bits of this run are not those of {recipe.name}; quantize the network again.")
    forms = vocoder.family.forms(vocoder.network, vocoder.trained.config)
    prepared = [_prepare(form, recipe, table, bits) for form in forms] if recipe.calibrated else []
    links = integer_links(prepared) if not recipe.symmetric else {}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".artifact-") as temporary:
            part = Path(temporary) / "artifact"
            graphs: dict[str, GraphSpec] = {}
            layers: list[LayerRow] = []
            for index, form in enumerate(forms):
                progress(index, len(forms), f"exporting {form.name}")
                file = f"graphs/{form.name}.onnx"
                layers += _export(form, recipe, part / file, prepared[index] if prepared else None, links.get(form.name, set()))
                graphs[form.name] = _describe(part, file, form)
            manifest = Manifest(
                family=vocoder.trained.family,
                size=vocoder.trained.size,
                name=name,
                recipe=recipe.name,
                config=vars(vocoder.trained.config),
                front_end=vocoder.front_end,
                sampler=vocoder.sampler,
                graphs=graphs,
                layers=tuple(layers),
                files={},
                training=str(vocoder.trained.training),
            )
            derived: dict[str, dict[str, str]] = {}
            for form_of_file in formats:
                if form_of_file != ONNX:
                    progress(len(forms), len(forms), f"translating to {form_of_file}")
                    derived[form_of_file] = derive(form_of_file, part, manifest, target)
            files = [*(graph.file for graph in graphs.values()), *(file for made in derived.values() for file in made.values())]
            manifest = replace(manifest, files={file: sha256(part / file) for file in files}, derived=derived)
            write_text(part / MANIFEST, manifest.to_json())
            progress(len(forms), len(forms), "done")
            if folder.exists():
                folder.rename(Path(temporary) / "replaced")
            part.rename(folder)
    except OSError as error:
        raise VcompressError(f"The artifact {folder} cannot be written ({error.strerror}); free some space or choose another --workspace.") from None
    return Artifact.open(folder)


def _prepare(form: Form, recipe: Recipe, table: ScaleTable | None, bits: Bits) -> PreparedGraph:
    if table is None:
        raise VcompressError(f"Recipe {recipe.name} needs a scale table; quantize the network again.")
    prepared = prepare(form, bits.floats, bits.wide, symmetric=bits.symmetric)
    table.apply(prepared)
    run_form(form, prepared.module, {key: value.numpy() for key, value in form.flat_inputs.items()})  # the weight quantizers see their weights
    return prepared


def integer_links(graphs: Sequence[PreparedGraph]) -> dict[str, set[str]]:
    """For each graph its inputs and outputs that are integers: those that both ends quantize, whether graphs or calls of one. The rest are floats at both."""
    found: dict[str, set[str]] = {graph.form.name: set() for graph in graphs}
    for giver in graphs:
        for output, key in giver.outputs.items():
            taken = [
                (graph, name, linked)
                for graph in graphs
                for name, linked in graph.form.links.items()
                if graph is not giver and giver.tensors.get(linked) is giver.tensors[key]
            ]
            taken += [(giver, name, key) for name, given in giver.form.states.items() if given == output]
            if taken and all(linked in graph.tensors for graph, _, linked in taken):
                found[giver.form.name].add(output)
                for graph, name, _ in taken:
                    found[graph.form.name].add(name)
    return found


def _export(form: Form, recipe: Recipe, path: Path, prepared: PreparedGraph | None, links: set[str]) -> Sequence[LayerRow]:
    """Write one graph and say what became of its layers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if prepared is not None:
        rows = _quantized_rows(form, prepared)
        export_graph(prepared.converted(), form, path, links, pairs=recipe.symmetric)
        if recipe.symmetric:
            check_graph(path)
        return rows
    export_graph(form.module, form, path)
    if recipe.method == "dynamic":
        float_graph = path.with_suffix(".float.onnx")
        path.rename(float_graph)
        quantize_dynamic(float_graph, path)
        float_graph.unlink()
    return _rows(form, "w8, activations as they come" if recipe.method == "dynamic" else "float")


def _quantized_rows(form: Form, prepared: PreparedGraph) -> list[LayerRow]:
    rows = [LayerRow(path, form.name, *_kind(form, path), str(bits), _parameters(form, path), bits.reason) for path, bits in prepared.quantized.items()]
    rows += [LayerRow(path, form.name, *_kind(form, path), "float", _parameters(form, path), why) for path, why in prepared.skipped.items()]
    missing = {row.name for row in _rows(form, "")} - {row.name for row in rows}
    if missing:
        raise VcompressError(f"No rule says what becomes of {', '.join(sorted(missing))} in {form.name}; report this with the vocoder's configuration.")
    return rows


def _rows(form: Form, precision: str) -> list[LayerRow]:
    paths = [path for path, module in form.module.named_modules() if isinstance(module, WEIGHTED_MODULES)]
    return [LayerRow(path, form.name, *_kind(form, path), precision, _parameters(form, path)) for path in paths]


def _kind(form: Form, path: str) -> tuple[str]:
    return (type(form.module.get_submodule(path)).__name__,)


def _parameters(form: Form, path: str) -> int:
    module = form.module.get_submodule(path)
    return sum(tensor.numel() for tensor in (*module.parameters(), *module.buffers()))


def _describe(folder: Path, file: str, form: Form) -> GraphSpec:
    path = folder / file
    return GraphSpec(file, *ports(path), bytes_by_kind(path), kernels(path), form.states)
