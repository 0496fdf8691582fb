"""``--swapper old-photo``: the paper mask in brown, coloured by a network of this package (``networks.toml``)."""

from dataclasses import dataclass, replace

import numpy as np

from rtswap.core.parts import BuildContext, SwapperSpec
from rtswap.core.protocols import Engine
from rtswap.core.types import SourceIdentity
from rtswap_example.paper_mask import PaperMask


@dataclass
class OldPhotoModel:
    sepia: Engine

    def bind(self, source: SourceIdentity) -> PaperMask:
        brown = self.sepia.run({"picture": source.portrait[None]})["brown"]
        return PaperMask(replace(source, portrait=np.array(brown[0])))


def build(context: BuildContext) -> OldPhotoModel:
    return OldPhotoModel(context.engines["example-sepia"])


SPEC = SwapperSpec("old-photo", "the photo as a brown paper mask", build, networks=("example-sepia",))
