"""A vocoder of twenty lines of C, with its twin in numpy: it stands in for an exported one where boards and simulators are tested."""

from pathlib import Path

import numpy as np

BANDS, HOP, TAIL = 8, 16, 2
HEADER = f"""\
#ifndef VCOMPRESS_H
#define VCOMPRESS_H
#include <stdint.h>
#define VC_MELS {BANDS}
#define VC_MAX_SAMPLES {HOP}
typedef int8_t vc_mel_t;
void vc_init(void);
int vc_push(const vc_mel_t mel[VC_MELS], int16_t out[VC_MAX_SAMPLES]);
int vc_flush(int16_t out[VC_MAX_SAMPLES]);
#endif
"""
SOURCE = """\
#include "vcompress.h"
static int32_t sum[VC_MELS];
static int left;
void vc_init(void)
{
    for (int band = 0; band < VC_MELS; band++)
        sum[band] = 0;
    left = 2;
}
int vc_push(const vc_mel_t mel[VC_MELS], int16_t out[VC_MAX_SAMPLES])
{
    for (int band = 0; band < VC_MELS; band++)
        sum[band] += mel[band];
    for (int i = 0; i < VC_MAX_SAMPLES; i++)
        out[i] = (int16_t)(sum[i % VC_MELS] * (i + 1));
    return VC_MAX_SAMPLES;
}
int vc_flush(int16_t out[VC_MAX_SAMPLES])
{
    static const vc_mel_t nothing[VC_MELS];
    return left-- > 0 ? vc_push(nothing, out) : 0;
}
"""


def write_library(folder: Path, more: str = "") -> Path:
    """The library in a folder; `more` is C that is added."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vcompress.h").write_text(HEADER)
    (folder / "vocoder.c").write_text(SOURCE + more)
    return folder


def mel(frames: int = 5) -> np.ndarray:
    """int8 (frames, BANDS)."""
    return np.random.default_rng(0).integers(-128, 128, (frames, BANDS)).astype(np.int8)


def twin(mel: np.ndarray) -> np.ndarray:
    """What the library says to a mel: int16 (HOP (frames + TAIL),)."""
    padded = np.concatenate([mel.astype(np.int64), np.zeros((TAIL, BANDS), np.int64)])
    sums = padded.cumsum(0)[:, np.arange(HOP) % BANDS]
    return (sums * np.arange(1, HOP + 1)).astype(np.int16).ravel()
