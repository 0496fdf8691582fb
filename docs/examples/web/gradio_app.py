"""A page with a photo, a picture and a strength: pip install gradio; python gradio_app.py"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

import rtswap

Rgb = NDArray[np.uint8]


def swap_faces(source: Image, picture: Image, strength: float, consent: bool) -> tuple[Rgb, str]:
    """The swapped picture, (H, W, 3) RGB as Gradio shows it, and a line on what was done."""
    result = rtswap.swap(picture, source, consent=consent, strength=strength)
    covered = f", {result.covered} covered: {', '.join(sorted(result.reasons))}" if result.covered else ""
    return result.image[..., ::-1], f"{result.swapped} swapped{covered}"


def make_page() -> Any:
    """The ``gradio.Blocks``."""
    import gradio as gr

    def answer(source: Image, picture: Image, strength: float, consent: bool) -> tuple[Rgb, str]:
        try:
            return swap_faces(source, picture, strength, consent)
        except rtswap.RtswapError as error:
            raise gr.Error(str(error)) from error

    with gr.Blocks(title="rtswap") as page:
        source, picture = gr.Image(type="pil", label="Photo"), gr.Image(type="pil", label="Picture")
        strength = gr.Slider(0, 1.3, 1, label="Strength")
        consent = gr.Checkbox(label="The person in the photo is me or has agreed")
        result, told = gr.Image(label="Result"), gr.Textbox(label="Faces")
        gr.Button("Swap").click(answer, [source, picture, strength, consent], [result, told], api_name="swap")
    return page


if __name__ == "__main__":
    make_page().launch()
