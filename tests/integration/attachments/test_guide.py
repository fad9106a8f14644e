"""The program of docs/attachments.md, as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
from tests.support.attaching import image
from tests.support.process import serving
from tests.support.service import ADMIN_KEY, AUTHORIZATION, ITEM

GUIDE = Path(__file__).parents[3] / "docs" / "attachments.md"


def test_the_guides_program_uploads_a_large_file(database_url: str, keys_file: Path, tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    sheet = tmp_path / "data-sheet.pdf"
    sheet.write_bytes(image("PDF"))
    storage = f"file://{tmp_path}/storage"
    with serving(tmp_path, database_url=database_url, api_keys_file=keys_file, storage_url=storage) as server:
        httpx.put(f"{server.api}/inventory/A-1", json=ITEM, headers=AUTHORIZATION).raise_for_status()
        command = [sys.executable, "-c", program, server.api, ADMIN_KEY, str(sheet), "A-1"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        attachment, status = ran.stdout.split()
        found = httpx.get(f"{server.api}/attachments/{attachment}/content", headers=AUTHORIZATION).raise_for_status()
    assert (status, found.content) == ("available", sheet.read_bytes())
