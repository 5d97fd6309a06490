"""The C files of an artifact."""

import json
from dataclasses import asdict
from pathlib import Path

from ...errors import VcompressError
from ...runtime.artifact import Artifact, Manifest
from ...runtime.files import write_text
from .generate.library import Library
from .program import Program, TargetFacts
from .reading import read_program

FOLDER = "c"
PLAN = "plan.json"
GRAPH = "network"
HOST = TargetFacts("host")


def check_installed() -> None:
    """Nothing is needed that the ONNX export does not need."""


def program_of(folder: Path, manifest: Manifest) -> Program:
    """The program of an artifact in `folder`. Raises VcompressError, naming it, for what has no C form."""
    name, front_end = manifest.name, manifest.front_end
    if GRAPH not in manifest.graphs:
        raise VcompressError(f"The {manifest.sampler.get('name')} sampler of {name} has no C form; export to ONNX only.")
    graph = manifest.graphs[GRAPH]
    return read_program(folder / graph.file, name, manifest.sampler, front_end.sample_rate, front_end.hop_length, graph.states)


def derive(folder: Path, manifest: Manifest, target: TargetFacts | None) -> dict[str, str]:
    """Write `c/`: the library for a target (this machine where none is given), and `c/plan.json`, which says where every byte is."""
    library = Library.of(program_of(folder, manifest), target or HOST)
    texts = {**library.files(), PLAN: json.dumps(plan(library), indent=1)}
    for name, text in texts.items():
        write_text(folder / FOLDER / name, text)
    return {name: f"{FOLDER}/{name}" for name in texts}


def plan(library: Library) -> dict[str, object]:
    """What a machine wants to know of a library: its mel, its target, its memory buffer by buffer, its constants by kind."""
    program, memory = library.program, library.memory
    mel = program.tensors[program.input]
    buffers = zip(memory.buffers, memory.arena.offsets, strict=True)
    return {
        "name": program.name,
        "target": asdict(library.target),
        "mel": {"bands": mel.channels, "bits": mel.bits, "scale": mel.scale, "zero_point": mel.zero_point},
        "sample_rate": program.sample_rate,
        "max_samples": program.hop,
        "latency_frames": library.streaming.latency,
        "macs_per_frame": program.macs_per_frame,
        "state_bytes": library.state_bytes,
        "arena_bytes": library.arena_bytes,
        "arena_lower_bound": memory.arena.lower_bound,
        "kept": [{"name": name, "bytes": size} for name, size in memory.kept],
        "buffers": [{**asdict(buffer), "offset": offset} for buffer, offset in buffers],
        "constants": library.constant_bytes,
        "notes": list(program.notes),
    }


def target_of(artifact: Artifact) -> TargetFacts | None:
    """The target that an artifact's C files are for; None where it has none, or they cannot be read."""
    file = artifact.manifest.derived.get(FOLDER, {}).get(PLAN)
    try:
        return TargetFacts(**json.loads((artifact.folder / str(file)).read_text(encoding="utf-8"))["target"]) if file else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def summary(artifact: Artifact) -> str:
    """What the library takes: lines for the terminal."""
    facts = json.loads(artifact.derived_path(FOLDER, PLAN).read_text(encoding="utf-8"))
    constants = ", ".join(f"{kind} {size:,}" for kind, size in facts["constants"].items())
    lines = [
        f"C for {facts['target']['name']}: {sum(facts['constants'].values()):,} bytes of constants ({constants}); "
        f"RAM {facts['state_bytes']:,} kept and {facts['arena_bytes']:,} in the arena (lower bound {facts['arena_lower_bound']:,})"
    ]
    return "\n".join([*lines, *facts["notes"]])
