"""Flags of FFmpeg, roop, FaceFusion, Deep-Live-Cam and DeepFaceLive, and what to use in rtswap instead; of `rtswap
train` those of faceswap and DeepFaceLab."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_BY_ADVICE = {
    "Give the video or picture to change first, or with --input FILE.": "--target --target-path --webcam-input",
    "Give the file to change first, or with --input FILE; as FFmpeg's -t use --duration TIME.": "-t",
    "Give the camera's number: --cam 0.": "--camera --device --webcam --camera-id",
    "No command is needed: rtswap INPUT OUTPUT --source PHOTO": "--run --convert",
    "`rtswap cameras` lists cameras.": "--list-cams --list-cameras --list-devices",
    "Press f in the window.": "--fullscreen --full-screen -fs",
    "Films are turned upright as they say; others: ffmpeg -i IN -vf transpose=1 OUT": "--rotate --rotation",
    "A file is played once, up to its end.": "--loop -loop -stream_loop",
    "Use --source PHOTO.": "--source-path --source-paths --face-image",
    "Use --output FILE.": "--output-path --out --target-output",
    "`rtswap studio --open` opens a page in the browser.": "--gui --ui --ui-layouts",
    "Use -o window for a preview.": "--preview --live --show-fps",
    "Run rtswap without it: there is no other mode than the command line.": "--headless --headless-run --cli",
    "Use --faces all.": "--many-faces --all-faces --all --everyone --face-selector-mode",
    "Use --swap PERSON=SOURCE.": "--map-faces --reference-face-position --reference-face-distance "
    "--reference-frame-number --face-selector-order --similar-face-distance --face-index",
    "Use --keep mouth.": "--mouth-mask",
    "Use --mask and --parts.": "--face-mask-types --face-mask-regions --face-mask-areas --face-mask-blur "
    "--face-mask-padding",
    "Use --swapper; rtswap comes with its networks.": "--model --face-swapper-model --frame-processor "
    "--frame-processors --processors",
    "Use --enhance NAME, with an imported model: `rtswap models`.": "--face-enhancer --face-enhancer-model",
    "Use --codec NAME and --crf N.": "--preset -preset --output-video-preset --tune -tune",
    "Use --engine.": "--execution-provider --execution-providers --execution-device-id --gpu --cuda --cpu --no-cuda "
    "--provider",
    "Use --threads N.": "--execution-threads --execution-thread-count -threads",
    "Use --codec NAME.": "-c:v -vcodec -codec --video-codec --video-encoder --output-video-encoder --encoder -c",
    "Use --crf N: lower is better.": "-crf -q:v -qp --quality --video-quality --output-video-quality",
    "Use --bitrate RATE, such as 4M.": "-b:v -b --video-bitrate -maxrate",
    "Use --start TIME.": "-ss --from --trim-frame-start --seek",
    "Use --end TIME.": "-to --to --trim-frame-end",
    "Use --duration TIME.": "--length --limit",
    "Use --no-audio.": "-an --mute --skip-audio --no-sound",
    "Sound is copied already; --no-audio leaves it out.": "--keep-audio --audio -c:a -acodec",
    "The frame rate of a file is kept; --fps is for cameras and numbered pictures.": "-r --keep-fps --output-fps "
    "--output-video-fps --framerate -framerate",
    "The size of a file is kept; --size is for cameras.": "--resolution --output-video-resolution "
    "--output-image-resolution --width --height -vf --scale",
    "Existing files are kept; -y replaces them.": "-n --no-overwrite",
    "Use -y.": "--force --yes",
    "The suffix of the output says its format.": "-f --format --output-format",
    "Use --quiet.": "--log-level --loglevel -loglevel -hide_banner -nostdin --silent",
    "Use --stats, or --debug for tracebacks.": "--verbose -vv",
    "Use --no-badge; the invisible mark stays.": "--no-watermark --skip-watermark",
    "Nothing is downloaded or kept between runs.": "--skip-download --keep-frames --keep-temp --temp-frame-format "
    "--max-memory --video-memory-strategy --system-memory-limit --temp-path --userdata-dir",
    "rtswap does not judge pictures; see docs/responsible-use.md.": "--nsfw-filter --skip-nsfw",
    "Mirror the picture in the program that shows it.": "--mirror --live-mirror --flip",
}
_BY_ADVICE_OF_TRAIN = {
    "Nothing is needed: a training goes on from what --out holds.": "--resume --continue --checkpoint --load",
    "A training is as long as its --minutes; Ctrl-C ends it earlier.": "--epochs --iterations --iters --steps -it "
    "--target-iter --max-iter --hours",
    "Use --data twice: first the source's faceset, then the target's.": "--source --target --src --dst "
    "--training-data-src-dir --training-data-dst-dir --input-a --input-b --input-A --input-B -A -B --src-dir "
    "--dst-dir --aligned --input -i",
    "Use --out DIR.": "--output --model-dir --model --name -m --save-dir --model-name",
    "The recipe is the first word: rtswap train df ...": "--trainer -t --recipe --model-class",
    "Use --batch N.": "--batch-size --batchsize -bs -b",
    "Use --rate RATE.": "--lr --learning-rate",
    "Use --size, or --resolution PX.": "--res --face-size --image-size",
    "Use --device.": "--gpu --gpus --cuda --cpu --cpu-only --force-gpu-idxs --device-id -g",
    "Nothing is needed: sheets are written every few minutes; --preview shows them.": "--write-image -w --no-preview "
    "--silent-start --timelapse -tl",
    "Nothing is needed: the checkpoint is written every minute.": "--save-interval -s --snapshot-interval --backup",
}
ADVICE_OF_TRAIN: Mapping[str, str] = MappingProxyType(
    {flag: advice for advice, flags in _BY_ADVICE_OF_TRAIN.items() for flag in flags.split()}
)
ADVICE: Mapping[str, str] = MappingProxyType(
    {flag: advice for advice, flags in _BY_ADVICE.items() for flag in flags.split()}
)
"""Flag of another program -> what to do in rtswap."""
