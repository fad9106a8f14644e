"""`make pictures`: draws the dashboards of the chart into docs/images, from what a Prometheus has.

Without a Prometheus the service runs for a quarter of an hour, and one watches.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from PIL import Image
from tests.support.node import NODE, NPM

from observability.generate import CHART, REPOSITORY

from .scene import Seen, played

DASHBOARDS = CHART / "files" / "dashboards"
DRAW = Path(__file__).parent / "draw"
IMAGES = REPOSITORY / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COLOURS = 128


def main() -> int:
    options = _options()
    browser = options.browser or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("the pictures need Chromium on PATH, such as Debian's package chromium", file=sys.stderr)
        return 1
    _install()
    with ExitStack() as stack:
        drawn, data = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
        if options.prometheus:
            seen = Seen(options.prometheus, options.to - 60 * options.minutes, options.to)
        else:
            seen = stack.enter_context(played(data))
        _draw(seen, browser, drawn)
        options.images.mkdir(parents=True, exist_ok=True)
        for picture in sorted(drawn.iterdir()):
            path = options.images / picture.name
            compress(picture, path)
            print(f"{path}: {path.stat().st_size / 1_000:.0f} kB")
    return 0


def compress(picture: Path, path: Path) -> None:
    """As a PNG of few colours: what is drawn has lines and areas of one colour, and a part of it is transparent."""
    with Image.open(picture) as image:
        few = image.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def _install() -> None:
    """The packages of the lock, whose digests npm holds them to; again where the lock is newer."""
    lock, installed = DRAW / "package-lock.json", DRAW / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([NODE, NPM, "ci", *options], cwd=DRAW, check=True)
    subprocess.run([NODE, DRAW / "node_modules" / "typescript" / "bin" / "tsc", "--project", DRAW], check=True)


def _draw(seen: Seen, browser: str, directory: Path) -> None:
    options = {
        "prometheus": seen.url,
        "from": seen.began,
        "to": seen.ended,
        "browser": browser,
        "dashboards": DASHBOARDS,
        "out": directory,
    }
    subprocess.run([NODE, DRAW / "main.ts", *(f"--{name}={value}" for name, value in options.items())], check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m observability.pictures", description=__doc__)
    parser.add_argument("--prometheus", metavar="URL", default="", help="of one that scrapes the service")
    parser.add_argument("--to", type=float, default=time.time(), help="seconds since 1970 (default: now)")
    parser.add_argument("--minutes", type=float, default=60, help="how many before that are drawn")
    parser.add_argument("--browser", metavar="PATH", help="Chromium (default: from PATH)")
    parser.add_argument("--images", type=Path, default=IMAGES, help="where to (default: docs/images)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
