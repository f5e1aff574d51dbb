"""Sentence encoders: what turns an item's words into a vector of their meaning. None is needed to serve."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from training.acts import Floats


class TextEncoder(Protocol):
    """Encodes texts; equal texts give equal vectors, whatever else is encoded with them."""

    @property
    def version(self) -> str:
        """Name and version, as a model's recipe records it."""
        ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return (len(texts), d) vectors of length 1; 0 for a text that says nothing."""
        ...


class NoEncoderError(ValueError):
    """The encoder's package isn't installed."""


class WordLlama:
    """Means of token vectors trained for retrieval, 256 wide, in English; the package holds the model.

    No network at run time, no torch, one lookup a token: 9,125 titles with genres took 0.4 s.
    """

    _MODEL: Final = "l2_supercat"
    _WIDTH: Final = 256

    def __init__(self) -> None:
        """Load the model.

        Raises
        ------
        NoEncoderError
            The package isn't installed.
        """
        spec = find_spec("wordllama")
        if spec is None or spec.origin is None:
            raise NoEncoderError(
                "encoder wordllama isn't installed; install attune with its extra `embeddings`, here by "
                "`uv sync --inexact --extra embeddings`"
            )
        from wordllama import WordLlama as Loader  # noqa: PLC0415 - an optional extra

        # Its tokenizer lies in a folder that the package looks for in its cache only.
        folder = Path(spec.origin).parent
        self._model = Loader.load(self._MODEL, cache_dir=folder, dim=self._WIDTH, disable_download=True)

    @property
    def version(self) -> str:
        """Name and version of package and model."""
        return f"wordllama {_installed('wordllama')}, {self._MODEL}_{self._WIDTH}"

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return (len(texts), 256). Cost: a lookup a token; memory: 64 texts' tokens times a kilobyte."""
        vectors: Floats = self._model.embed(list(texts)).astype(np.float32)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(length > 0, length, 1.0), dtype=np.float32)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


ENCODERS: Final[Mapping[str, Callable[[], TextEncoder]]] = {"wordllama": WordLlama}
"""Name on the command line -> encoder."""
