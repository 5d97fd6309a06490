"""From a folded vocoder, and a scale table where it is quantized, to an artifact."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

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
from .inspection import bytes_by_kind, kernels, ports
from .onnx_graph import export_graph

Progress = Callable[[int, int, str], None]


def write_artifact(
    vocoder: FoldedVocoder,
    recipe: Recipe,
    name: str,
    folder: Path,
    table: ScaleTable | None = None,
    progress: Progress = lambda done, total, what: None,
) -> Artifact:
    """Export every form and write the manifest; `folder` is there whole or not at all. `table` for integer recipes but dynamic.

    Raises VcompressError when the table does not fit the network or the place cannot be written.
    """
    if recipe.folded:
        vocoder = vocoder.with_schedule_folded()
    forms = vocoder.family.forms(vocoder.network, vocoder.trained.config)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".artifact-") as temporary:
            part = Path(temporary) / "artifact"
            graphs: dict[str, GraphSpec] = {}
            layers: list[LayerRow] = []
            for index, form in enumerate(forms):
                progress(index, len(forms), f"exporting {form.name}")
                file = f"graphs/{form.name}.onnx"
                layers += _export(vocoder, form, recipe, table, part / file, {key for other in forms for key in other.links})
                graphs[form.name] = _describe(part, file)
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
                files={graph.file: sha256(part / graph.file) for graph in graphs.values()},
                training=str(vocoder.trained.training),
            )
            write_text(part / MANIFEST, manifest.to_json())
            progress(len(forms), len(forms), "done")
            if folder.exists():
                folder.rename(Path(temporary) / "replaced")
            part.rename(folder)
    except OSError as error:
        raise VcompressError(f"The artifact {folder} cannot be written ({error.strerror}); free some space or choose another --workspace.") from None
    return Artifact.open(folder)


def _export(vocoder: FoldedVocoder, form: Form, recipe: Recipe, table: ScaleTable | None, path: Path, linked: set[str]) -> Sequence[LayerRow]:
    """Write one graph and say what became of its layers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if recipe.method in ("static", "qat"):
        if table is None:
            raise VcompressError(f"Recipe {recipe.name} needs a scale table; quantize the network again.")
        prepared = prepare(form, vocoder.family.floats, vocoder.family.wide(vocoder.trained.config))
        table.apply(prepared)
        run_form(form, prepared.module, {key: value.numpy() for key, value in form.flat_inputs.items()})  # the weight quantizers see their weights
        rows = _quantized_rows(vocoder, form, prepared)
        export_graph(prepared.converted(), form, path, linked)
        return rows
    export_graph(form.module, form, path)
    if recipe.method == "dynamic":
        float_graph = path.with_suffix(".float.onnx")
        path.rename(float_graph)
        quantize_dynamic(float_graph, path)
        float_graph.unlink()
    return _rows(form, "w8, activations as they come" if recipe.method == "dynamic" else "float")


def _quantized_rows(vocoder: FoldedVocoder, form: Form, prepared: PreparedGraph) -> list[LayerRow]:
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
    return sum(parameter.numel() for parameter in form.module.get_submodule(path).parameters())


def _describe(folder: Path, file: str) -> GraphSpec:
    path = folder / file
    inputs, outputs = ports(path)
    return GraphSpec(file, inputs, outputs, bytes_by_kind(path), kernels(path))
