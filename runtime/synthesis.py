"""From a mel, or a note, to a waveform, with an artifact in a back end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import VcompressError
from .artifact import Artifact
from .audio import AUDIO_SUFFIXES, read_audio
from .backends import Session
from .front_ends import AnyFrontEnd, of_mels
from .samplers import OnStep, make_sampler


def synthesize(
    artifact: Artifact,
    session: Session,
    mel: np.ndarray,
    seed: int = 0,
    on_step: OnStep | None = None,
    noise: bool = True,
    public: bool = False,
    sigma: float | None = None,
) -> np.ndarray:
    """mel: float32 (n_mels, F), normalised, or the codes of a note -> waveform: float32 (hop_length * F,) in [-1, 1].

    `noise` False leaves out a diffusion sampler's noise between the steps, as the original DiffWave code does by mistake.
    `public`: with whatever slips the public code of a diffusion sampler has (DiffWave: no noise; WaveGrad: another posterior).
    `sigma`: standard deviation of a flow's noise, in place of the artifact's own. Raises VcompressError where there is no such noise.
    """
    front_end = artifact.manifest.front_end
    settings = getattr(session, "sampler", None) or artifact.manifest.sampler
    settings = settings if noise else {**settings, "noise": False}
    if sigma is not None:
        if "sigma" not in settings:
            raise VcompressError(f"{artifact.folder} draws no noise of a sigma, only flows do; leave out --sigma.")
        settings = {**settings, "sigma": sigma}
    sampler = make_sampler({**settings, "public": True} if public else settings, front_end.hop_length)
    try:
        return sampler.synthesize(session.run, front_end.check(mel), seed, on_step)
    except KeyError as missing:
        raise VcompressError(f"{artifact.folder} has no graph or tensor {missing}, which its sampler needs; export the artifact again.") from None


def read_mel(path: str | Path, front_end: AnyFrontEnd) -> tuple[np.ndarray, float]:
    """The mel of an audio file, or a saved mel (.npy, or .npz with `mel` and optionally `hop_length`), and the gain that was applied.

    Raises VcompressError when the file is missing, damaged, holds pickled objects, or does not fit the front end.
    """
    path, front_end = Path(path), of_mels(front_end, "A recording or a mel")
    if path.suffix.lower() in AUDIO_SUFFIXES:
        waveform = read_audio(path, front_end.sample_rate)
        gain = front_end.gain(waveform)
        with _naming(path):
            return front_end.mel(waveform * gain), gain
    if path.suffix.lower() not in (".npy", ".npz"):
        raise VcompressError(f"{path} is neither audio (.wav, .flac) nor a saved mel (.npy, .npz); give one of these.")
    if not path.is_file():
        raise VcompressError(f"There is no file {path}; check the path.")
    try:
        loaded = np.load(path, allow_pickle=False)
        mel = loaded["mel"] if path.suffix.lower() == ".npz" else loaded
        hop_length = int(loaded["hop_length"]) if path.suffix.lower() == ".npz" and "hop_length" in loaded else front_end.hop_length
    except (OSError, ValueError, KeyError, EOFError, TypeError):
        raise VcompressError(f"{path} holds no mel (one array of floats; in .npz under the name mel); save one with numpy.save.") from None
    except Exception as error:  # zipfile.BadZipFile and its kin
        raise VcompressError(f"{path} is damaged ({error}); save the mel again.") from None
    if hop_length != front_end.hop_length:
        raise VcompressError(f"{path} was made with hop_length {hop_length}, this vocoder needs {front_end.hop_length}; compute the mel again.")
    with _naming(path):
        return front_end.check(mel), 1.0


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except VcompressError as error:
        raise VcompressError(f"{path}: {error}") from None
