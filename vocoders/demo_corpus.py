"""The demo corpus: English sentences spoken by espeak-ng, made once into the user's cache.

espeakng-loader (GPL-3.0, loaded at run time, hence an extra of its own) brings the library and its voices as a pip package.
The library's output differs in its last bits from run to run, so a corpus is made once and its files are kept.
"""

import ctypes
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import VcompressError
from ..runtime.audio import resample, write_audio
from ..runtime.files import cache_folder
from ..runtime.random import RandomStream

SAMPLE_RATE = 16000
PROMPTS = 300  # two takes each: about half an hour
VOICES = ("en-us+f2", "en-us+m3", "en-gb-x-rp+f4", "en-us+m7", "en-029+f3", "en-gb-x-rp+m1")

_SUBJECTS = (
    "The captain,My younger sister,A quiet engineer,The old lighthouse keeper,Every second visitor,Our neighbour,The baker's boy,A grey heron,"
    "Professor Whitfield,The night train,Nobody in the village,The tall juggler,An honest thief,The choir,Her favourite uncle,The weather office"
).split(",")
_VERBS = (
    "carried,painted,watched,forgot,repaired,measured,borrowed,hid beneath the stairs,examined,sold,dreamed about,questioned,polished,"
    "photographed,followed,wrapped in paper,gave away,weighed"
).split(",")
_OBJECTS = (
    "a box of oranges,the broken violin,seven yellow jackets,the river's edge,a map of the harbour,the judge's chair,three large fish,"
    "that strange machine,a zinc bucket,the white horses,an azure vase,the thick rope,a cup of ginger tea,the fourth chapter,"
    "their wooden bridge,a measure of flour"
).split(",")
_ENDINGS = (
    "before breakfast,without a word,during the storm,in the middle of June,for twenty-five shillings,while the others slept,on the way to Chesterfield,"
    "as usual,under a pale moon,and laughed,because of the noise,with great care,though nobody asked,by five o'clock,at the edge of the wood"
).split(",")


def demo_corpus_folder() -> Path:
    """Where the corpus is kept, in the user's cache."""
    return cache_folder() / "demo-corpus"


def make_demo_corpus(folder: Path | None = None, prompts: int = PROMPTS, progress: Callable[[int, int], None] = lambda done, total: None) -> Path:
    """The folder of the corpus, in LJ Speech layout; speaks it first when it is not there. `progress(done, total)` counts prompts."""
    folder = folder or demo_corpus_folder()
    if (folder / "metadata.csv").is_file():
        return folder
    speaker = _Speaker()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".demo-corpus-") as temporary:
            lines = []
            for index in range(prompts):
                draw = RandomStream(index)
                text = " ".join(words[draw.below(len(words))] for words in (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)) + "."
                for take in range(2):
                    voice = VOICES[(index + take * 3) % len(VOICES)]
                    samples = speaker.say(text, voice, rate=145 + draw.below(40), pitch=40 + draw.below(25))
                    stem = f"demo-{index:04d}_{take}"
                    write_audio(Path(temporary) / "wavs" / f"{stem}.flac", resample(samples, speaker.sample_rate, SAMPLE_RATE), SAMPLE_RATE)
                    lines.append(f"{stem}|{text}|{text}")
                progress(index + 1, prompts)
            (Path(temporary) / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            Path(temporary).rename(folder)
            Path(temporary).mkdir()  # for the context manager to remove
    except OSError as error:
        raise VcompressError(f"The demo corpus cannot be written to {folder} ({error.strerror}); set XDG_CACHE_HOME to a place with 80 MB.") from None
    return folder


class _Speaker:
    """libespeak-ng through ctypes. The library's state is global: one speaker a process."""

    _SYNCHRONOUS, _UTF8, _RATE, _PITCH = 2, 1, 1, 3

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError:
            raise VcompressError("The demo corpus needs espeakng-loader; run: pip install 'vcompress[demo]'.") from None
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.sample_rate = self._library.espeak_Initialize(self._SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
        self._chunks: list[np.ndarray] = []
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = prototype(self._collect)  # kept: the library holds only a pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _event: int) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, text: str, voice: str, rate: int, pitch: int) -> np.ndarray:
        """float32 (T,) at `sample_rate`; rate in words per minute, pitch 0 to 99."""
        self._chunks.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise VcompressError(f"espeak-ng has no voice {voice!r}; choose one of {', '.join(VOICES)}.")
        self._library.espeak_SetParameter(self._RATE, rate, 0)
        self._library.espeak_SetParameter(self._PITCH, pitch, 0)
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, self._UTF8, None, None)
        self._library.espeak_Synchronize()
        return (np.concatenate(self._chunks) / 32768).astype(np.float32)
