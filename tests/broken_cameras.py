"""Texts of good camera files, one a format, and a table of ways to break them.

A row is a name, the good file that is changed, the text that is replaced (None for the whole file),
what replaces it, the line at fault (None where no line is), and part of the message.
"""

from __future__ import annotations

from typing import NamedTuple

MVPS = """\
mvps_cameras: 1
units: mm
cameras:
  - name: "top"
    image_size: [640, 480]
    matrix:
      - [900.0, 0.0, 310.0]
      - [0.0, 905.0, 250.0]
      - [0.0, 0.0, 1.0]
    distortion: {k1: -0.1, k2: 0.02}
    rotation:
      - [1.0, 0.0, 0.0]
      - [0.0, 1.0, 0.0]
      - [0.0, 0.0, 1.0]
    translation: [1.0, 2.0, 300.0]
    frame_id: board
"""
OPENCV = """\
%YAML:1.0
---
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 900., 0., 310., 0., 905.,
       250., 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ -0.1, 0.02, 0., 0., 0.003 ]
R: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1., 0., 0., 0., 1., 0., 0., 0., 1. ]
T: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ 1., 2., 300. ]
"""
XML = """\
<?xml version="1.0"?>
<opencv_storage>
<image_width>640</image_width>
<image_height>480</image_height>
<camera_matrix type_id="opencv-matrix">
  <rows>3</rows>
  <cols>3</cols>
  <dt>d</dt>
  <data>
    900. 0. 310. 0. 905.
    250. 0. 0. 1.</data></camera_matrix>
<distortion_coefficients type_id="opencv-matrix">
  <rows>1</rows>
  <cols>5</cols>
  <dt>d</dt>
  <data>
    -0.1 0.02 0. 0. 0.003</data></distortion_coefficients>
</opencv_storage>
"""
ROS = """\
image_width: 640
image_height: 480
camera_name: top
camera_matrix:
  rows: 3
  cols: 3
  data: [900, 0, 310, 0, 905, 250, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.1, 0.02, 0, 0, 0.003]
"""
COLMAP = """\
# Camera list with one line of data per camera:
#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
1 OPENCV 640 480 900 905 310.5 250.5 -0.1 0.02 0 0
2 PINHOLE 640 480 900 905 310.5 250.5
"""
IMAGES = """\
# Image list
1 1 0 0 0 1 2 300 1 top

2 1 0 0 0 1 2 300 2 side

"""
NERF = """\
{
  "camera_model": "OPENCV",
  "w": 640, "h": 480,
  "frames": [
    {
      "file_path": "top",
      "fl_x": 900, "fl_y": 905,
      "cx": 310.5, "cy": 250.5,
      "transform_matrix": [
        [1, 0, 0, 5],
        [0, -1, 0, 6],
        [0, 0, -1, 7],
        [0, 0, 0, 1]
      ]
    }
  ]
}
"""
KALIBR = """\
cam0:
  camera_model: pinhole
  intrinsics: [900, 905, 310, 250]
  distortion_model: radtan
  distortion_coeffs: [-0.1, 0.02, 0, 0]
  resolution: [640, 480]
cam1:
  camera_model: pinhole
  intrinsics: [900, 905, 310, 250]
  distortion_model: none
  distortion_coeffs: []
  resolution: [640, 480]
  T_cn_cnm1:
  - [1, 0, 0, -0.1]
  - [0, 1, 0, 0]
  - [0, 0, 1, 0]
  - [0, 0, 0, 1]
"""
GOOD = {
    "mvps": MVPS,
    "opencv": OPENCV,
    "xml": XML,
    "ros": ROS,
    "colmap": COLMAP,
    "images": IMAGES,
    "nerfstudio": NERF,
    "kalibr": KALIBR,
}
DEEP_YAML = "K: " + "[" * 5000
DEEP_JSON = '{"frames": ' + "[" * 5000
DEEP_XML = "<opencv_storage>" + "<a>" * 5000
LAUGHS = """\
<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>
<opencv_storage><K>&lol2;</K></opencv_storage>
"""
OUTSIDE = """\
<!DOCTYPE foo [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>
<opencv_storage><camera_name>&xxe;</camera_name></opencv_storage>
"""


class Broken(NamedTuple):
    name: str
    good: str
    old: str | None
    new: str | bytes
    line: int | None
    message: str


def whole(name: str, good: str, text: str | bytes, line: int | None, message: str) -> Broken:
    return Broken(name, good, None, text, line, message)


CORPUS = [
    whole("empty", "mvps", "", None, "the file is empty"),
    whole("blank", "mvps", " \n\n", None, "the file is empty"),
    whole("binary", "mvps", b"\x89PNG\r\n\x1a\n\xff\xfe", None, "not UTF-8 text"),
    whole("null bytes", "mvps", b"\x00" * 64, None, "not a camera file of a format that is known"),
    whole("prose", "mvps", "Dear reader,\n", None, "read are mvps camera YAML, YAML of the Real"),
    whole("other yaml", "mvps", "image_width: 5\n", None, "not a camera file of a format that"),
    whole("other json", "nerfstudio", '{"a": 1}', None, "not a camera file of a format that"),
    whole("other xml", "xml", "<svg></svg>", None, "not a camera file of a format that"),
    whole("deep yaml", "opencv", DEEP_YAML, 1, "nested too deeply"),
    whole("deep json", "nerfstudio", DEEP_JSON, 1, "nested too deeply"),
    whole("deep xml", "xml", DEEP_XML, 1, "nested too deeply"),
    whole("billion laughs", "xml", LAUGHS, 2, "a document type and its entities are not read"),
    whole("outer entity", "xml", OUTSIDE, 1, "a document type and its entities are not read"),
    whole("huge", "opencv", "K: " + "1" * (2 << 20), None, "larger than 1 MiB"),
    whole("only comments", "colmap", "# Camera list\n", None, "lists no camera"),
    # mvps YAML
    Broken("version", "mvps", "cameras: 1", "cameras: 2", 1, "mvps_cameras: unknown value '2'"),
    Broken("units", "mvps", "units: mm", "units: m", 2, "units: unknown value 'm'"),
    Broken(
        "no cameras",
        "mvps",
        MVPS[MVPS.index("  - name") :],
        "",
        3,
        "expected a list, found nothing",
    ),
    Broken("missing matrix", "mvps", "    matrix:", "    matrx:", 6, "unknown key; did you mean"),
    Broken("missing key", "mvps", "    distortion: {k1: -0.1, k2: 0.02}\n", "", 4, "is missing"),
    Broken("repeated key", "mvps", "frame_id:", "name:", 16, "the key 'name' repeats that of line"),
    Broken("count", "mvps", "[900.0, 0.0, 310.0]", "[900.0, 0.0]", 6, "8 numbers, expected 9"),
    Broken("ragged", "mvps", "310.0]\n      - [0.0,", "310.0, 0.0]\n      - [", 6, "its rows have"),
    Broken("nan", "mvps", "k1: -0.1", "k1: .nan", 10, "distortion.k1: '.nan' is not a number"),
    Broken("term", "mvps", "k2: 0.02", "k9: 0.02", 10, "distortion.k9: unknown key"),
    Broken("list", "mvps", "{k1: -0.1, k2: 0.02}", "[1, 2]", 10, "expected a mapping of coeffic"),
    Broken("size", "mvps", "[640, 480]", "[640]", 5, "1 numbers, expected width and height"),
    Broken("zero size", "mvps", "[640, 480]", "[640, 0]", 5, "0 is outside 1.."),
    Broken("focal", "mvps", "900.0", "-900.0", 6, "the matrix is not that of a camera"),
    Broken("turned", "mvps", "- [1.0, 0.0, 0.0]", "- [0.9, 0.0, 0.0]", 11, "rotation is not one"),
    Broken(
        "mirrored", "mvps", "- [1.0, 0.0, 0.0]", "- [-1.0, 0, 0]", 11, "rotation is a reflection"
    ),
    Broken("half a pose", "mvps", "    translation: [1.0, 2.0, 300.0]\n", "", 4, "go together"),
    Broken(
        "overflow", "mvps", "- [1.0, 0.0, 0.0]", "- [1e200, 0, 0]", 11, "the rotation is not one"
    ),
    # OpenCV YAML
    Broken("inf", "opencv", "905.", ".Inf", 9, "camera_matrix.data[4]: '.Inf' is not a number"),
    Broken("too big", "opencv", "905.", "1e999", 9, "'1e999' is too large for a number of 64 bits"),
    Broken("comma", "opencv", "data: [ 1., 2.,", "data: [ '1,5', 2.,", 25, "has a decimal comma"),
    Broken(
        "tab", "opencv", "   rows: 3\n   cols: 3\n   dt: d\n   data: [ 9", "\trows: [ 9", 6, "not"
    ),
    Broken("truncated", "opencv", OPENCV[180:], "", 11, "not YAML"),
    Broken("short", "opencv", "250., 0., 0., 1. ]", "250. ]", 9, "6 numbers, expected 9"),
    Broken(
        "3 terms",
        "opencv",
        "cols: 5\n   dt: d\n   data: [ -0.1, 0.02,",
        "cols: 3\n   data: [",
        11,
        "3 numbers, expected 4 or 5 or 8",
    ),
    Broken(
        "shape",
        "opencv",
        "cols: 3\n   dt: d\n   data: [ 1.,",
        "cols: 4\n   data: [ 0, 0, 0, 1,",
        16,
        "3 x 4, expected 3 x 3",
    ),
    Broken("no size", "opencv", "image_height: 480\n", "", None, "the image size is missing; add"),
    Broken(
        "real size", "opencv", "image_width: 640", "image_width: 640.5", 3, "not a whole number"
    ),
    Broken("no distortion", "opencv", "distortion_coefficients:", "dstrtn:", 3, "is missing"),
    Broken("two names", "opencv", "T:", "K:", 21, "K: stands beside 'camera_matrix'"),
    Broken("no rotation", "opencv", "R:", "Q:", 21, "rotation and translation go together"),
    Broken(
        "fisheye", "opencv", "---\n", "---\nfisheye_model: 1\n", 3, "a fisheye camera is not read"
    ),
    Broken(
        "alias", "opencv", "image_height: 480", "a: &a [1, 1]\nb: [*a, *a]", 5, "aliases (*name)"
    ),
    Broken("tag", "opencv", "480", "!!python/object:os.system x", 4, "the tag"),
    Broken("second document", "opencv", "R: !!opencv-matrix", "---\nR:", 16, "not YAML"),
    Broken("kind", "opencv", "dt: d", "dt: q", 8, "unknown kind of number 'q'"),
    # OpenCV XML
    Broken("unclosed", "xml", "</opencv_storage>\n", "", 18, "not XML"),
    Broken("mismatched", "xml", "</image_height>", "</image_width>", 4, "not XML: mismatched tag"),
    Broken("word", "xml", "250. 0. 0. 1.", "250. x 0. 1.", 11, "camera_matrix.data[6]: 'x' is not"),
    Broken(
        "repeated",
        "xml",
        "image_height>480</image_height",
        "image_width>4</image_width",
        4,
        "repeats",
    ),
    Broken("negative", "xml", "905.", "-905.", 5, "the matrix is not that of a camera"),
    # ROS
    Broken("equidistant", "ros", "plumb_bob", "equidistant", 8, "the fisheye model 'equidistant'"),
    Broken("model", "ros", "plumb_bob", "plum_bob", 8, "unknown value 'plum_bob'; did you mean"),
    Broken(
        "8 of plumb_bob",
        "ros",
        "cols: 5\n  data: [",
        "cols: 8\n  data: [1, 1, 1, ",
        9,
        "8 numbers, expected 4 or 5",
    ),
    Broken(
        "no model", "ros", "distortion_model: plumb_bob\n", "", 1, "'distortion_model' is missing"
    ),
    # COLMAP
    Broken(
        "few words",
        "colmap",
        "1 OPENCV 640 480 900",
        "1 OPENCV 640 #",
        3,
        "parameters, OPENCV has 8",
    ),
    Broken(
        "parameters", "colmap", "310.5 250.5 -0.1", "310.5 -0.1", 3, "7 parameters, OPENCV has 8"
    ),
    Broken("unread model", "colmap", "PINHOLE", "OPENCV_FISHEYE", 4, "OPENCV_FISHEYE is not read"),
    Broken("unknown model", "colmap", "PINHOLE", "PINHOLES", 4, "did you mean 'PINHOLE'"),
    Broken("twice", "colmap", "\n2 ", "\n1 ", 4, "camera 1 is listed twice"),
    Broken("colmap nan", "colmap", "-0.1", "nan", 3, "'nan' is not a number"),
    Broken("id", "colmap", "\n2 ", "\nB ", 4, "'B' is not a whole number"),
    Broken(
        "quaternion", "images", "2 1 0 0 0", "2 1 1 0 0", 4, "the quaternion has length 1.41421"
    ),
    Broken(
        "lost camera", "images", "300 2 side", "300 9 side", 4, "camera 9 is not in cameras.txt"
    ),
    Broken("no name", "images", " 2 side", " 2", 4, "9 words, expected IMAGE_ID"),
    Broken("pose word", "images", "1 2 300 1", "1 2,5 300 1", 2, "'2,5' has a decimal comma"),
    # nerfstudio
    Broken("json nan", "nerfstudio", "905", "NaN", 7, "'NaN' is not a value of JSON"),
    Broken("json inf", "nerfstudio", "905", "-Infinity", 7, "is not a value of JSON"),
    Broken(
        "json huge",
        "nerfstudio",
        "905",
        "1e999",
        7,
        "frames[0].fl_y: '1e999' is too large for a number of 64 bits",
    ),
    Broken(
        "json key twice", "nerfstudio", '"cy"', '"cx"', 8, "the key 'cx' repeats that of line 8"
    ),
    Broken("json comma", "nerfstudio", '"OPENCV",', '"OPENCV"', 3, "expected ',' or '}'"),
    Broken(
        "json trailing", "nerfstudio", "7],\n        [0, 0, 0, 1]", "7],", 13, "expected a value"
    ),
    Broken("json cut", "nerfstudio", NERF[150:], "", 8, "not JSON that is read"),
    Broken("json more", "nerfstudio", "  ]\n}\n", "  ]\n}\n{}", 18, "text after the end"),
    Broken("json missing", "nerfstudio", '"fl_x": 900, ', "", 5, "the key 'fl_x' is missing"),
    Broken("json fisheye", "nerfstudio", "OPENCV", "OPENCV_FISHEYE", 2, "is not read; undistort"),
    Broken(
        "json k4", "nerfstudio", '"cx"', '"k4": 0.1, "cx"', 8, "k4, the term of r^8, is not read"
    ),
    Broken(
        "json row", "nerfstudio", "[0, 0, 0, 1]", "[0, 0, 0, 2]", 9, "the last row of a pose is"
    ),
    Broken(
        "json pose",
        "nerfstudio",
        "[0, -1, 0, 6]",
        "[0, 1, 0, 6]",
        9,
        "the rotation is a reflection",
    ),
    Broken("json text", "nerfstudio", "905", '"wide"', 7, "'wide' is not a number"),
    # Kalibr
    Broken(
        "omni", "kalibr", "camera_model: pinhole", "camera_model: omni", 2, "'omni' is not read"
    ),
    Broken("equi", "kalibr", "radtan", "equi", 4, "the distortion model 'equi' is not read"),
    Broken("gap", "kalibr", "cam1:", "cam2:", 7, "cam1 is missing before it"),
    Broken(
        "no link", "kalibr", "cam1:", "cam1:\n  resolution: [1, 1]", 13, "repeats that of line 8"
    ),
    Broken("link", "kalibr", "- [0, 1, 0, 0]", "- [0, 2, 0, 0]", 13, "the rotation is not one"),
    Broken("far link", "kalibr", "-0.1]\n", "1e308]\n", 13, "not finite"),
    Broken(
        "three", "kalibr", "[900, 905, 310, 250]", "[900, 905, 310]", 3, "3 numbers, expected 4"
    ),
]
