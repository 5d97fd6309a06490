"""DNSMOS (Reddy et al. 2021, 2022): OVRL (P.835) and P808, with the ONNX models that the package `speechmos` ships.

Estimates by networks without a reference, on the scale of listening tests: none of them is a MOS. The models are run here
because speechmos opens them with all threads and needs librosa without saying so; a test compares with speechmos itself.
Both are blind to gain.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.mel import mel_filters
from .metric import Metric

RATE = 16000
WINDOW = 144160  # 9.01 s, the length the models were trained on
HOP = RATE
OVRL_POLYNOMIAL = (-0.06766283, 1.11546468, 0.04602535)  # speechmos.dnsmos.get_polyfit_val
P808_FEATURES = "mos_estimator_small_1/dense_4/Relu:0"  # float32 (1, 64), input of the last layer of model_v8.onnx


def windows(waveform: np.ndarray, rate: int) -> list[np.ndarray]:
    """Every 9.01 s of the clip, a second apart; a shorter clip is doubled until it is long enough, as in speechmos."""
    if rate != RATE:
        raise ValueError(f"DNSMOS needs {RATE} Hz, not {rate}")
    audio = np.clip(waveform, -1.0, 1.0)
    while len(audio) < WINDOW:
        audio = np.append(audio, audio)
    count = int(len(audio) // RATE - WINDOW / RATE) + 1  # whole seconds first, as in speechmos
    return [window for i in range(count) if len(window := audio[i * HOP : i * HOP + WINDOW]) == WINDOW]


def dnsmos_ovrl(reference: np.ndarray, output: np.ndarray, rate: int) -> float:
    """Overall quality, about 1 to 4.

    Of a clip shorter than 9.01 s only the first window counts: the others hold the same sound shifted, cost 0.35 s each
    and move the figure by 0.03 at most (five clips tried).
    """
    chosen = windows(output, rate)
    chosen = chosen[:1] if len(output) < WINDOW else chosen
    raw = [_session("sig_bak_ovr").run(None, {"input_1": window.astype(np.float32)[None]})[0][0][2] for window in chosen]
    return float(np.mean(np.polyval(OVRL_POLYNOMIAL, raw)))


def dnsmos_p808(reference: np.ndarray, output: np.ndarray, rate: int) -> float:
    """Overall quality by the P.808 model, about 1 to 4.5; the mean over all windows."""
    return float(np.mean([_p808(window)[0] for window in windows(output, rate)]))


def dnsmos_features(waveform: np.ndarray, rate: int) -> np.ndarray:
    """The 64 activations that the last layer of the P808 model weighs (tensor P808_FEATURES): float64 (windows, 64)."""
    return np.stack([_p808(window)[1] for window in windows(waveform, rate)]).astype(np.float64)


def _p808(window: np.ndarray) -> tuple[float, np.ndarray]:
    score, features = _session("model_v8", P808_FEATURES).run(None, {"input_1": _log_mel(window[:-160])[None]})
    return float(score[0, 0]), features[0]


def _log_mel(audio: np.ndarray) -> np.ndarray:
    """librosa's power mel in dB re its maximum, 80 dB deep, as (x + 40) / 40: float32 (900, 120). Frame 321, hop 160."""
    n_fft, hop_length = 321, 160
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, n_fft // 2), n_fft)[::hop_length]
    power = np.abs(np.fft.rfft(frames * window, axis=-1)) ** 2
    mel = power @ mel_filters(RATE, n_fft, 120, 0.0, RATE / 2).T
    decibel = 10 * np.log10(np.maximum(mel, 1e-10) / max(1e-10, float(mel.max())))
    return ((np.maximum(decibel, decibel.max() - 80) + 40) / 40).astype(np.float32)


@lru_cache
def _session(model: str, feature: str = "") -> Any:
    """One thread, kept open; `feature` becomes a second output."""
    import onnxruntime

    spec = find_spec("speechmos")
    if spec is None or spec.origin is None:
        raise ImportError("speechmos is not installed")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    data = (Path(spec.origin).parent / "dnsmos_models" / f"{model}.onnx").read_bytes()
    return onnxruntime.InferenceSession(_with_output(data, feature) if feature else data, options, providers=["CPUExecutionProvider"])


def _with_output(model: bytes, tensor: str) -> bytes:
    """An ONNX file whose graph has one more output. A protobuf may be continued by appending: fields of a message merge, repeated ones add up.

    ModelProto.graph is field 7, GraphProto.output field 12, ValueInfoProto.name field 1 (onnx.proto), so `onnx` is not needed.
    """

    def message(number: int, body: bytes) -> bytes:
        assert len(body) < 128  # a length of one byte
        return bytes([number << 3 | 2, len(body)]) + body

    return model + message(7, message(12, message(1, tensor.encode())))


OVRL = Metric(
    "dnsmos_ovrl",
    "DNSMOS",
    "higher",
    "DNSMOS P.835 overall estimate, first 9.01 s window of the repeated clip; not a MOS",
    "speechmos",
    speech=True,
    function=dnsmos_ovrl,
)
P808 = Metric("dnsmos_p808", "DNSMOS", "higher", "DNSMOS P.808 estimate, mean over 9.01 s windows; not a MOS", "speechmos", speech=True, function=dnsmos_p808)
