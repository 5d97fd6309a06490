"""SING: its loss, its network and steps, three stages of training on notes, and its integers."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import torch
from conftest import CommandLine
from lightning.pytorch.callbacks import Callback
from tiny import tiny_artifact
from tiny_bench import FRONT_END as MEL
from tiny_vocoders import sampler_of

from vcompress.benchmarks import quality
from vcompress.benchmarks.bench import measure
from vcompress.benchmarks.flops import executed_gflops_per_second
from vcompress.benchmarks.metrics.spectral import d_stft
from vcompress.benchmarks.references import heard_by, read_references
from vcompress.benchmarks.subject import BenchSettings, Subject
from vcompress.compress.calibration import calibrate
from vcompress.compress.folded import FoldedVocoder
from vcompress.compress.prepared import PreparedVocoder, run_form
from vcompress.compress.pruning import shrunk
from vcompress.compress.recipes import Recipe
from vcompress.compress.scale_table import ScaleTable
from vcompress.errors import VcompressError
from vcompress.export.artifact_writer import write_artifact
from vcompress.runtime.artifact import Artifact
from vcompress.runtime.backends import load
from vcompress.runtime.front_ends import read_front_end
from vcompress.runtime.notes import Note, NoteFrontEnd
from vcompress.runtime.synthesis import synthesize
from vcompress.vocoders.checkpoint import Checkpoint, TrainingFacts, read_checkpoint
from vcompress.vocoders.corpus import Clip, Split, read_corpus
from vcompress.vocoders.counting import count
from vcompress.vocoders.demo_notes import INSTRUMENTS, make_demo_notes, play
from vcompress.vocoders.keeper import LAST, read_curve
from vcompress.vocoders.losses import DSTFTLoss
from vcompress.vocoders.objectives import DSTFTObjective
from vcompress.vocoders.plan import TrainingPlan
from vcompress.vocoders.segments import Batch, Segments
from vcompress.vocoders.sing import FAMILY, note_forms
from vcompress.vocoders.sing_network import SING, SIZES, SINGConfig
from vcompress.vocoders.sing_training import Encoder, StagedTraining
from vcompress.vocoders.trainer import train_vocoder
from vcompress.vocoders.training import train

FRAMES = 48
CONFIG = SINGConfig(3, 4, 2, (3, 3, 2, 2), units=10, layers=2, dimension=6, channels=8, frames=FRAMES)
FRONT_END = NoteFrontEnd((0, 2, 5), (60, 61, 62, 64), (50, 127), ("organ", "bell", "harp"), frames=FRAMES)
NOTE = Note(2, 64, 50)


@cache
def vocoder() -> FoldedVocoder:
    """Random weights, loud enough to be heard."""
    torch.manual_seed(0)
    weights = {key: value.detach() for key, value in SING(CONFIG).state_dict().items()}
    weights["decoder.head.weight"] *= 3
    return FoldedVocoder.of(Checkpoint("sing", "S", CONFIG, FRONT_END, TrainingFacts(("notes",), 1, 1.0, "none"), weights))


@cache
def calibrated() -> tuple[PreparedVocoder, ScaleTable]:
    """Not to be changed but for `mode`."""
    prepared = PreparedVocoder(FAMILY, vocoder().network, CONFIG)
    calibrate(prepared, sampler_of(vocoder()), [FRONT_END.codes(Note(i, p, 127)) for i, p in ((0, 60), (2, 64), (5, 61))])
    return prepared, ScaleTable.of(prepared.graphs.values())


@cache
def exported(method: str) -> Artifact:
    return write_artifact(vocoder(), Recipe(method), "sing-tiny", Path(mkdtemp(prefix="sing-")) / "artifact", calibrated()[1] if method == "static" else None)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_notes(tmp_path_factory.mktemp("notes") / "notes", (4, 6), (60, 62, 64), (50, 127))


# --- the loss ---------------------------------------------------------------------------------------------------------------


def test_what_is_trained_with_is_what_is_measured() -> None:
    draw = np.random.default_rng(0)
    x, y = (draw.normal(0, 0.1, (2, 1, 5000)).astype(np.float32) for _ in range(2))
    measured = np.mean([d_stft(a[0], b[0], 16000) for a, b in zip(x, y, strict=True)])
    assert float(DSTFTLoss()(torch.from_numpy(y), torch.from_numpy(x))) == pytest.approx(measured, rel=1e-5)


# --- notes ------------------------------------------------------------------------------------------------------------------


def test_codes_are_places_in_lists_and_what_is_unknown_is_said() -> None:
    codes = FRONT_END.codes(NOTE)
    assert codes.shape == (3, FRAMES) and codes[:, 0].tolist() == codes[:, -1].tolist() == [1, 3, 0]
    assert FRONT_END.note("harp", 60, 50) == Note(5, 60, 50, "harp") and FRONT_END.note("5", 60, 50).instrument == 5
    assert read_front_end(json.loads(json.dumps(vars(FRONT_END)))) == FRONT_END
    for note, words in ((Note(1, 60, 50), "no instrument 1; choose of 0, 2, 5"), (Note(0, 63, 50), "no pitch 63"), (Note(0, 60, 60), "no velocity 60")):
        with pytest.raises(VcompressError, match=words):
            FRONT_END.codes(note)
    with pytest.raises(VcompressError, match="no instrument 'drum'; choose of 0, 2, 5, organ, bell, harp"):
        FRONT_END.note("drum", 60, 50)
    for codes in (np.zeros((3, FRAMES + 1)), np.zeros((2, 4)), np.full((3, 4), 9.0), np.array([[0, 1], [0, 0], [0, 0]])):
        with pytest.raises(VcompressError, match="give the note by its numbers"):
            FRONT_END.check(codes)


def test_demo_notes_have_their_pitch_and_a_harder_touch_is_louder(notes: Path) -> None:
    for instrument in range(len(INSTRUMENTS)):
        note = play(instrument, 69, 127)
        spectrum = np.abs(np.fft.rfft(note[8000:24000] * np.hanning(16000)))  # 1 Hz a line; a vibrato of 5 Hz has lines beside the pitch
        assert abs(int(spectrum[400:480].argmax()) + 400 - 440) <= 5 and note.shape == (64000,) and np.abs(note).max() == pytest.approx(0.5, abs=1e-6)
    clips = sorted((clip.note.velocity, clip.path.name) for clip in read_corpus([notes], Split(validation="-062$")).training if clip.note is not None)
    assert len(clips) == 8 and [velocity for velocity, _ in clips] == [50] * 4 + [127] * 4


def test_a_pitch_of_an_instrument_is_held_out_with_all_its_velocities(notes: Path) -> None:
    corpus = read_corpus([notes], Split(fraction=0.4))
    held_out = {(clip.note.instrument, clip.note.pitch) for clip in corpus.validation if clip.note}
    trained = {(clip.note.instrument, clip.note.pitch) for clip in corpus.training if clip.note}
    assert held_out and trained and not held_out & trained and len(corpus.training) == 2 * len(trained)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is no list of notes"),
        ("[1]", "is no list of notes"),
        ("{}", "lists no note"),
        ('{"a": {"instrument": 1, "pitch": 60}}', "is no list of notes"),
        ('{"a": {"instrument": 1, "pitch": 60, "velocity": 1.5}}', "is no list of notes"),
        ('{"../a": {"instrument": 1, "pitch": 60, "velocity": 50}}', "which is no name of a file"),
    ],
)
def test_a_damaged_list_of_notes_is_said(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "examples.json").write_text(content, encoding="utf-8")
    with pytest.raises(VcompressError, match=words):
        read_corpus([tmp_path])


# --- the network ------------------------------------------------------------------------------------------------------------


def test_l_is_the_paper_s_network() -> None:
    """64 M parameters, 243 MiB; 265 frames for four seconds. By hand: tables + LSTM (one bias a gate) + linear + four convolutions."""
    config = SIZES["L"]
    assert config.cardinalities == (1006, 121, 5, 265)
    tables = 1006 * 16 + 121 * 8 + 5 * 2 + 265 * 4
    lstm = 4096 * (30 + 1024 + 1) + 2 * 4096 * (2048 + 1)
    decoder = 4096 * (128 * 9 + 1) + 2 * 4096 * 4097 + 4096 * 1024 + 1
    row = count("sing", "L")
    assert row.parameters == tables + lstm + 128 * 1025 + decoder == 63_735_639
    assert row.fp32_bytes / 2**20 == pytest.approx(243.1, abs=0.05)
    steps = 4096 * (30 + 1024) + 2 * 4096 * 2048 + 128 * 1024
    assert row.gflops_per_second == pytest.approx(2e-9 * (265 * steps + 257 * (decoder - 3 * 4096 - 1)) / 4, rel=1e-3)


@torch.no_grad()
def test_steps_and_sampler_give_what_the_whole_network_does() -> None:
    network = vocoder().network
    forms = {form.name: form for form in note_forms(network, CONFIG)}
    codes = torch.from_numpy(np.stack([FRONT_END.codes(NOTE), FRONT_END.codes(Note(0, 61, 127))]))
    expected = network(codes)
    assert expected.shape == (2, 1, FRAMES * 256) and expected.std() > 0.01
    torch.testing.assert_close(FAMILY.compose(CONFIG, {name: form.module for name, form in forms.items()})(codes), expected, atol=1e-6, rtol=1e-4)
    found = sampler_of(vocoder()).synthesize(lambda graph, inputs: run_form(forms[graph], forms[graph].module, inputs), codes[0].numpy())
    np.testing.assert_allclose(found, expected[0, 0].numpy(), atol=1e-6)
    assert network(codes[:, :, :4]).shape == (2, 1, 4 * 256)


@torch.no_grad()
def test_encoder_and_generator_make_frames_for_the_same_steps() -> None:
    torch.manual_seed(0)
    whole, waveform = SING(CONFIG), torch.randn(2, 1, FRAMES * 256)
    frames = Encoder(CONFIG)(waveform)
    made, state = whole.generator(torch.zeros(2, 3), 0, FRAMES + CONFIG.lead)
    assert frames.shape == made.shape == (2, 6, FRAMES + CONFIG.lead) and whole.decoder(frames).shape == waveform.shape
    first, state = whole.generator(torch.zeros(2, 3), 0, 10)
    rest, _ = whole.generator(torch.zeros(2, 3), 10, FRAMES + CONFIG.lead - 10, state)
    torch.testing.assert_close(torch.cat([first, rest], 2), made)


@torch.no_grad()
def test_frames_lie_where_their_sound_is() -> None:
    """Frame j is of samples 256 j - 2304 and 1023 more, around 256 (j - 7): there the decoder puts what it makes of it, and 1,536 samples to either side."""
    torch.manual_seed(0)
    encoder, decoder, waveform = Encoder(CONFIG), SING(CONFIG).decoder, torch.randn(1, 1, FRAMES * 256)
    later, frames = waveform.clone(), encoder(waveform)
    later[:, :, 5 * 256 : 6 * 256] += 1.0
    assert (encoder(later) - frames).abs().amax((0, 1)).nonzero().flatten().tolist() == [11, 12, 13, 14]
    other = frames.clone()
    other[:, :, 12] += 1.0
    heard = (decoder(other) - decoder(frames))[0, 0].abs().gt(1e-7).nonzero().flatten()
    assert heard[0] >= 0 and 5 * 256 + 1024 < heard[-1] < 5 * 256 + 1536


# --- training ---------------------------------------------------------------------------------------------------------------


def staged(steps: int, folder: Path) -> tuple[StagedTraining, Segments]:
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    waveforms = [0.2 * np.sin(np.arange(FRAMES * 256) * f).astype(np.float32) for f in draw.uniform(0.05, 0.2, 4)]
    segments = Segments(waveforms, FRONT_END, FRAMES, [Note(0, pitch, 50) for pitch in FRONT_END.pitches])
    plan = TrainingPlan(steps=steps, batch_size=2, frames=FRAMES, learning_rate=1e-3, every=2, warmup=0, betas=(0.9, 0.999))
    checkpoint = Checkpoint("sing", "S", CONFIG, FRONT_END, TrainingFacts(), {})
    return StagedTraining(SING(CONFIG), DSTFTObjective(), plan, [segments.batch(2, 99)], checkpoint), segments


class Weights(Callback):
    """What moved in each step; stops the training after `last` of them, as a kill would."""

    def __init__(self, last: int = 99):
        self.moved: list[tuple[bool, ...]] = []
        self._last, self._before = last, []  # type: ignore[var-annotated]

    def on_train_batch_start(self, trainer: object, module: StagedTraining, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        if len(self.moved) == self._last:
            raise KeyboardInterrupt
        self._before = [[p.detach().clone() for p in part.parameters()] for part in (module.encoder, module.sing.decoder, module.sing.generator)]

    def on_train_batch_end(self, trainer: object, module: StagedTraining, outputs: object, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        parts = (module.encoder, module.sing.decoder, module.sing.generator)
        pairs = [zip(before, part.parameters(), strict=True) for before, part in zip(self._before, parts, strict=True)]
        self.moved.append(tuple(any(not torch.equal(a, b) for a, b in pair) for pair in pairs))


def test_each_stage_trains_its_part_and_a_training_that_was_stopped_goes_on_in_its_stage(tmp_path: Path) -> None:
    watch = Weights()
    training, segments = staged(10, tmp_path)
    assert training.stage == "stage 1 of 3, autoencoder"
    assert train(training, segments, tmp_path / "whole", watch)
    assert watch.moved == [(True, True, False)] * 4 + [(False, False, True)] * 4 + [(False, True, True)] * 2
    stages = [str(point["stage"])[:7] for point in read_curve(tmp_path / "whole")]
    assert stages == ["stage 1"] * 2 + ["stage 2"] * 2 + ["stage 3"] * 2
    first, _ = staged(10, tmp_path)
    with pytest.raises(BaseException):  # noqa: B017 (how lightning hands on an interrupt)
        train(first, segments, tmp_path / "stopped", Weights(6))
        raise KeyboardInterrupt
    again, _ = staged(10, tmp_path)
    assert train(again, segments, tmp_path / "stopped")
    for one, two in zip(training.network.parameters(), again.network.parameters(), strict=True):
        torch.testing.assert_close(one, two)
    assert read_checkpoint(tmp_path / "stopped" / LAST, "sing").config == CONFIG


def test_a_training_on_notes_knows_its_notes(notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "S", replace(CONFIG, frames=20))
    plan = replace(FAMILY.plan, steps=5, batch_size=2, frames=20, every=5)
    result = train_vocoder("sing", "S", [notes], tmp_path / "run", plan, Split(validation="bell.*-062$"))
    assert result.complete
    checkpoint = read_checkpoint(result.path)
    assert isinstance(checkpoint.front_end, NoteFrontEnd)
    assert checkpoint.front_end.names == ("bell_additive", "guitar_plucked") and checkpoint.front_end.pitches == (60, 62, 64)
    assert checkpoint.config.cardinalities == (2, 3, 2, 20 + CONFIG.lead) and "encoder" not in " ".join(checkpoint.weights)


def test_a_training_on_speech_is_refused(tmp_path: Path) -> None:
    import soundfile

    for index in range(40):
        soundfile.write(tmp_path / f"clip{index}_0.wav", 0.1 * np.ones(4000), 16000)
    with pytest.raises(VcompressError, match="is trained on notes, and the folders tell of none"):
        train_vocoder("sing", "S", [tmp_path], tmp_path / "run", replace(FAMILY.plan, steps=1), Split(fraction=0.3))


# --- integers ---------------------------------------------------------------------------------------------------------------


def test_every_product_has_8_bit_weights_and_the_state_16_bits() -> None:
    prepared, table = calibrated()
    layers = {path: (bits.input, bits.output) for graph in prepared.graphs.values() for path, bits in graph.quantized.items()}
    assert not any(graph.skipped for graph in prepared.graphs.values())
    wide = {path for path, (_, output) in layers.items() if output == 16}
    assert wide == {*(f"generator.layers.{i}.{part}" for i in (0, 1) for part in ("input", "cell.recurrent")), "decoder.head.convolution"}
    assert len(layers) == 4 + 4 + 1 + 4 and all(source == 8 for source, _ in layers.values())
    assert table.entries["generator.layers.1.cell:mul_3"].scale == 2.0**-15 and table.entries["generator.layers.0.cell:add_2"].bits == 16


def test_integers_in_onnxruntime_play_what_floats_do() -> None:
    played = {}
    for method in ("fp32", "static"):
        artifact = exported(method)
        played[method] = synthesize(artifact, load("onnxruntime", artifact), FRONT_END.codes(NOTE))
    expected = vocoder().network(torch.from_numpy(FRONT_END.codes(NOTE))[None]).detach()[0, 0].numpy()
    np.testing.assert_allclose(played["fp32"], np.clip(expected, -1, 1), atol=1e-5)
    noise = played["static"] - played["fp32"]
    assert 15 < 10 * np.log10(np.square(played["fp32"]).sum() / np.square(noise).sum()) < 60
    ports = {port.name: port.dtype for port in exported("static").manifest.graphs["lstm"].inputs}
    assert set(ports.values()) == {"int16"} and set(ports) == {"condition", "hidden_0", "hidden_1", "cell_0", "cell_1"}
    assert exported("static").manifest.graphs["lstm"].bytes["weights"] == 3 * 4 * 10 * 10


def test_operations_of_a_second() -> None:
    """The LSTM for each frame; what is computed at once also for the frames outside the note, fewer after the convolution over nine."""
    n, c, d, rows, frames = CONFIG.units, CONFIG.channels, CONFIG.dimension, CONFIG.cardinalities, 62.5
    products = 3 * 4 * n * n * frames
    products += (4 * n * sum(CONFIG.embeddings) + sum(r * w for r, w in zip(rows, CONFIG.embeddings, strict=True)) + n * d) * (frames + 15)
    products += (9 * d * c + 2 * c * c) * (frames + 7) + 1024 * c * (frames + 10)
    assert executed_gflops_per_second(exported("fp32")) == pytest.approx(2e-9 * products, rel=1e-6)


def test_quantization_aware_training_goes_through_the_steps() -> None:
    prepared, _ = calibrated()
    batch = Batch(torch.from_numpy(FRONT_END.codes(NOTE, 4))[None].repeat(2, 1, 1), 0.1 * torch.randn(2, 1, 4 * 256), 0)
    losses = []
    for faking in (False, True):
        prepared.mode(faking=faking)
        loss = DSTFTObjective().loss(prepared, batch)
        losses.append(loss.item())
    prepared.mode()
    loss.backward()
    assert 0 < abs(losses[1] - losses[0]) < 0.05
    trained = dict(prepared.graphs["lstm"].module.named_parameters())
    assert all(trained[f"generator.layers.{i}.cell.recurrent.weight"].grad.any() for i in (0, 1))


# --- measuring --------------------------------------------------------------------------------------------------------------


def test_quality_is_measured_on_notes_and_what_judges_speech_is_absent(notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = replace(FRONT_END, instruments=(4, 6, 7), pitches=(60, 61, 62, 64), names=())
    clips = [*read_corpus([notes], Split(validation="-062$")).validation, Clip(tmp_path / "speech.wav", "speech")]
    assert len(heard_by(known, clips)) == 4 and heard_by(MEL, clips) == clips[-1:]
    artifact = exported("fp32")
    artifact = Artifact(artifact.folder, replace(artifact.manifest, front_end=known))
    references = read_references(heard_by(known, clips), known)
    assert references.identity != read_references(clips[:4], replace(known, frames=8)).identity
    subject = Subject(artifact, BenchSettings(), references, folder=tmp_path / "audio")
    found = {record.metric: record for record in measure([subject], ("quality",), tmp_path / "records.jsonl")}
    assert found["d_stft"].value > 0 and found["log_mel_l1"].value > 0
    absent = {name for name, record in found.items() if record.value is None and record.reason == quality.NOT_SPEECH}
    assert absent == {"pesq_wb", "pesq_nb", "stoi", "dnsmos_ovrl", "dnsmos_p808", "frechet_dnsmos"}


def test_synth_of_a_vocoder_of_speech_refuses_a_note(tmp_path: Path, vcompress: CommandLine) -> None:
    folder = tiny_artifact(tmp_path / "artifact").folder
    for arguments in ([], ["--pitch", 60]):
        answer = vcompress("synth", folder, *arguments, "-o", tmp_path / "out.wav")
        assert answer.code == 2 and "makes speech of a recording or a mel" in answer.err


def test_channels_of_sing_are_not_taken_away() -> None:
    with pytest.raises(VcompressError, match="Channels cannot be taken from SING"):
        shrunk(vocoder(), 0.5)
