"""How large an image may be: what shows it holds all of its pixels at once, however small the file is. Pure."""

from inventory_api.errors import ContentMismatch

# More than nearly all cameras make; decoded, 400 MB by 8 bits for each of four channels.
MAX_PIXELS = 100_000_000


def check_pixels(width: int, height: int) -> None:
    """Raises:
    ContentMismatch: there are none, or more than are accepted.
    """
    if not width or not height:
        raise ContentMismatch("The image has no pixels.")
    if width * height > MAX_PIXELS:
        raise ContentMismatch(f"The image has more than {MAX_PIXELS} pixels.")
