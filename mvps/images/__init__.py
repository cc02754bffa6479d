"""Images in and out: the only room that touches codecs; codecs are imported at first use."""

from mvps.images.bayer import BayerReader, bayer_info, demosaic
from mvps.images.info import ImageInfo, ImageRef, RawLayout, SampleFormat, Window
from mvps.images.probe import DEFAULT_MAX_PIXELS, count_pages, is_image_name, probe
from mvps.images.response import Response, parse_response
from mvps.images.rows import RowReader, open_rows, read_image

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "BayerReader",
    "ImageInfo",
    "ImageRef",
    "RawLayout",
    "Response",
    "RowReader",
    "SampleFormat",
    "Window",
    "bayer_info",
    "count_pages",
    "demosaic",
    "is_image_name",
    "open_rows",
    "parse_response",
    "probe",
    "read_image",
]
