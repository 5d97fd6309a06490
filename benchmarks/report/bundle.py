"""plotly.js as a page carries it: the file that the pinned package brings, packed, for the browser to unpack."""

import base64
import gzip
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files


@dataclass(frozen=True)
class Bundle:
    """`packed`: base64 of the gzip of plotly.min.js, 2 MB where the file has 4.8 MB; `version`: of the Python package."""

    packed: str
    version: str


def plotly_bundle() -> Bundle:
    """The bundle. Raises ModuleNotFoundError without the package."""
    code = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return Bundle(base64.b64encode(gzip.compress(code, 9, mtime=0)).decode(), version("plotly"))
