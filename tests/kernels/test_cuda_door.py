"""The door to the GPU, before a pretended CuPy whose launches run on the CPU."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cases import MODES, WHITE, arrays, assert_same, make_case, outputs, solve_reference
from fake_cupy import MAX_PARAMETER_BYTES, Machine, fake_cupy

import mvps
from mvps.errors import DeviceError, InputError, MissingExtraError
from mvps.native import resource_dir
from mvps.stereo import cuda, devices
from mvps.stereo.reference import ReferenceBackend


@pytest.fixture
def machine(monkeypatch, host_module):
    pretended = Machine(module=host_module)
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(pretended))
    forget_kernels()
    yield pretended
    forget_kernels()


def forget_kernels():
    cuda._kernel.cache_clear()
    cuda._module.cache_clear()


def device_outputs(machine, case, *, full):
    host = outputs(case, full=full)
    return replace(host, **{k: machine.empty(v.shape, v.dtype) for k, v in arrays(host).items()})


def on_host(out):
    return replace(out, **{name: np.array(array) for name, array in arrays(out).items()})


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", WHITE)
def test_host_arrays_give_the_reference_numbers(machine, dtype, mode, full):
    case = make_case(dtype, mode, limits=full)
    out = outputs(case, full=full)

    cuda.CudaBackend().solve_strip(case.problem, case.samples, case.mask, out)

    assert_same(out, solve_reference(case, full=full, mask=case.mask), case.tolerance)
    assert machine.synchronised == 1


def test_device_arrays_are_solved_where_they_lie(machine):
    case = make_case("uint16", "rgb")
    samples, mask = machine.on_device(case.samples), machine.on_device(case.mask)
    out = device_outputs(machine, case, full=True)

    cuda.CudaBackend().solve_strip(case.problem, samples, mask, out)

    assert machine.launches[0].args[0] is samples
    assert machine.launches[0].args[8] is out.normals
    assert machine.synchronised == 0
    assert_same(on_host(out), solve_reference(case, full=True, mask=case.mask), case.tolerance)


def test_a_strip_larger_than_the_staging_memory_goes_in_parts(machine, monkeypatch):
    case = make_case("uint8", "grey", lights=12, pixels=1000)
    monkeypatch.setattr(cuda, "STAGED_BYTES", 12 * 300)
    out = outputs(case, full=False)

    cuda.CudaBackend().solve_strip(case.problem, case.samples, case.mask, out)

    assert [launch.args[2] for launch in machine.launches] == [300, 300, 300, 100]
    assert_same(out, solve_reference(case, full=False, mask=case.mask), case.tolerance)


def test_columns_of_a_larger_buffer_are_taken_as_they_are(machine):
    case = make_case("uint16", "grey")
    samples = machine.on_device(case.samples)[:, 100:613]
    part = case.part(100, 613)
    out = device_outputs(machine, part, full=False)

    cuda.CudaBackend().solve_strip(case.problem, samples, None, out)

    assert machine.launches[0].args[1:3] == (1000, 513)  # plane stride and pixels
    assert_same(on_host(out), solve_reference(part, full=False, mask=None), part.tolerance)


def test_one_block_of_256_threads_for_every_256_pixels(machine):
    for pixels, blocks in ((1, 1), (256, 1), (257, 2)):
        case = make_case("uint8", "grey", pixels=pixels)
        cuda.CudaBackend().solve_strip(case.problem, case.samples, None, outputs(case, full=False))
        assert (machine.launches[-1].grid, machine.launches[-1].block) == ((blocks,), (256,))


def test_no_pixels_need_no_launch(machine):
    case = make_case("uint8", "grey")
    part = case.part(0, 0)

    cuda.CudaBackend().solve_strip(part.problem, part.samples, None, outputs(part, full=True))

    assert not machine.launches


def test_more_than_two_to_the_31_pixels_are_counted_in_64_bits():
    case = make_case("uint8", "grey")
    pixels = 3_000_000_000

    def stretched(array):  # the true shape over one element, so that nothing is allocated
        return np.lib.stride_tricks.as_strided(array, (pixels, *array.shape[1:]), (0,) * array.ndim)

    samples = np.lib.stride_tricks.as_strided(case.samples, (12, pixels), (pixels, 0))
    out = outputs(case, full=False)
    out = replace(out, **{name: stretched(array) for name, array in arrays(out).items()})

    plan = cuda.plan_launch(case.problem, samples, None, out, np.asarray)

    assert plan.args[1:3] == (pixels, pixels)
    assert plan.args[1].dtype == plan.args[2].dtype == np.int64
    assert plan.grid == (11_718_750,)


@pytest.mark.parametrize("name", cuda.KERNELS)
def test_the_parameters_of_every_kernel_fit(host_module, name):
    signature = host_module.get_function(name).signature
    assert sum(int(parameter[1:]) for parameter in signature) < MAX_PARAMETER_BYTES


def test_the_kernels_are_compiled_once_with_their_headers_in_the_key(machine, tmp_path):
    case = make_case("uint8", "grey")
    for _ in range(2):
        cuda.CudaBackend().solve_strip(case.problem, case.samples, None, outputs(case, full=False))

    ((source, options),) = machine.compiled
    assert source == (resource_dir("kernels") / "least_squares.cu").read_text()
    assert options[:2] == ("--std=c++17", f"-I{resource_dir('kernels')}")


def test_a_changed_header_compiles_anew(monkeypatch, tmp_path):
    for file in resource_dir("kernels").glob("*.cu*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(cuda, "resource_dir", lambda _: tmp_path)
    before = cuda.kernel_sources()

    header: Path = tmp_path / "least_squares.cuh"
    header.write_text(header.read_text() + "// changed\n")

    assert cuda.kernel_sources() != before


class TestDevices:
    def test_a_device_that_is_not_there_is_named_with_those_that_are(self, machine):
        machine.devices = 2
        with pytest.raises(DeviceError, match=r"cuda:7 is not there.*cuda:0 to cuda:1"):
            cuda.CudaBackend(7)

    def test_the_second_device_does_the_work_asked_of_it(self, machine):
        machine.devices = 2
        case = make_case("uint8", "grey")

        cuda.CudaBackend(1).solve_strip(case.problem, case.samples, None, outputs(case, full=False))

        assert machine.launches[0].device == 1
        assert machine.current == 0

    def test_without_cupy_the_extra_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "cupy", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'mvps\[cuda13\]'"):
            cuda.CudaBackend()
        usable, reason = cuda.available()
        assert not usable
        assert "CuPy" in reason

    def test_a_broken_cupy_is_told_from_a_missing_one(self, monkeypatch, tmp_path):
        frame = "=" * 20
        (tmp_path / "cupy.py").write_text(f"raise ImportError('{frame}\\nno libcudart\\n{frame}')")
        monkeypatch.delitem(sys.modules, "cupy", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(DeviceError, match=r"^CuPy cannot be loaded: no libcudart$"):
            cuda.CudaBackend()

    def test_without_the_cuda_compiler_its_extra_is_named(self, machine):
        machine.nvrtc = False
        with pytest.raises(MissingExtraError, match=r"NVRTC.*mvps\[cuda13\]"):
            cuda.CudaBackend()

    @pytest.mark.parametrize(
        ("fault", "driver", "reason"),
        [
            ("cudaErrorNoDevice: no CUDA-capable device", 13000, "no CUDA device was found"),
            ("cudaErrorInsufficientDriver: too old", 0, "no NVIDIA driver was found"),
            ("cudaErrorInsufficientDriver: too old", 12080, r"supports CUDA 12\.8.*needs 13\.2"),
            ("cudaErrorUnknown: unknown error", 13000, "cannot be used: cudaErrorUnknown"),
        ],
    )
    def test_an_unusable_machine_says_why(self, machine, fault, driver, reason):
        machine.fault, machine.driver = fault, driver
        with pytest.raises(DeviceError, match=reason):
            cuda.CudaBackend()
        assert cuda.available()[0] is False

    def test_a_usable_machine_is_described(self, machine):
        assert cuda.available() == (True, "")
        assert cuda.CudaBackend().describe()["compute capability"] == "9.0"
        (info,) = cuda.device_info()
        assert info == cuda.DeviceInfo(0, "Pretended GPU", "9.0", 16 << 30, "13.0", "13.2")

    def test_too_little_memory_is_one_line_with_a_remedy(self, machine):
        machine.memory = 1000
        case = make_case("uint8", "grey")
        with pytest.raises(DeviceError, match=r"^cuda:0: Out of memory.*; use smaller images"):
            cuda.CudaBackend().solve_strip(
                case.problem, case.samples, None, outputs(case, full=False)
            )

    def test_a_source_that_does_not_compile_is_one_line(self, machine):
        machine.compile_error = "least_squares.cu(3): error: x\n" * 50
        case = make_case("uint8", "grey")
        with pytest.raises(DeviceError, match="kernels do not compile: least_squares") as caught:
            cuda.CudaBackend().solve_strip(
                case.problem, case.samples, None, outputs(case, full=False)
            )
        assert len(str(caught.value)) < 300

    def test_a_failing_launch_is_one_line(self, machine):
        def fail(name):
            raise fake_cupy(machine).cuda.driver.CUDADriverError("CUDA_ERROR_LAUNCH_FAILED: x")

        machine.module = SimpleNamespace(get_function=fail)
        case = make_case("uint8", "grey")
        with pytest.raises(DeviceError, match=r"^cuda:0: CUDA_ERROR_LAUNCH_FAILED: x$"):
            cuda.CudaBackend().solve_strip(
                case.problem, case.samples, None, outputs(case, full=False)
            )
        assert machine.synchronised == 1  # nothing may still read the staging memory

    def test_where_an_array_lies_is_read_from_dlpack(self, machine):
        assert devices.device_of(machine.on_device(np.zeros(3))) == "cuda:0"
        assert devices.device_of(np.zeros(3)) is None
        assert devices.device_of([1, 2]) is None

    def test_a_foreign_device_array_is_adopted_without_a_copy(self, machine):
        class Foreign:
            device_array = machine.on_device(np.zeros(3))

            def __dlpack_device__(self):
                return 2, 0

        backend = cuda.CudaBackend()
        assert backend.on_device(Foreign()) is Foreign.device_array
        assert backend.on_device(Foreign.device_array) is Foreign.device_array
        assert isinstance(backend.on_device(np.zeros(3)), type(Foreign.device_array))


class TestPlaces:
    def test_samples_on_another_device_are_refused(self, machine):
        machine.devices = 2
        case = make_case("uint8", "grey")
        with machine.use(1):
            samples = machine.on_device(case.samples)
        with pytest.raises(InputError, match=r"samples: on cuda:1, but the device.*cuda:0"):
            cuda.CudaBackend().solve_strip(
                case.problem, samples, None, device_outputs(machine, case, full=False)
            )

    def test_a_host_mask_beside_device_samples_is_refused(self, machine):
        case = make_case("uint8", "grey")
        with pytest.raises(InputError, match="mask: on the host, but the samples are on cuda:0"):
            cuda.CudaBackend().solve_strip(
                case.problem,
                machine.on_device(case.samples),
                case.mask,
                device_outputs(machine, case, full=False),
            )


class TestChecks:
    """The same faults in the same words as on the CPU, before anything is launched."""

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            (lambda s: s.astype(np.int32), "samples: type int32; give uint8, uint16 or float32"),
            (lambda s: s[:5], r"samples: shape \(5, 1000\), expected \(12, 1000\)"),
            (lambda s: s[:, ::2], "samples: not contiguous"),
            (np.asfortranarray, "samples: not contiguous"),
            (lambda s: s[:, :900], r"normals: shape \(1000, 3\), expected \(900, 3\)"),
        ],
    )
    def test_wrong_samples_are_refused_as_on_the_cpu(self, machine, fault, words):
        case = make_case("uint16", "grey")
        samples, out = fault(case.samples), outputs(case, full=False)
        with pytest.raises(InputError, match=words) as on_gpu:
            cuda.CudaBackend().solve_strip(case.problem, samples, None, out)
        with pytest.raises(InputError, match=words) as on_cpu:
            ReferenceBackend().solve_strip(case.problem, samples, None, out)

        assert str(on_gpu.value) == str(on_cpu.value)
        assert not machine.launches

    def test_wrong_device_arrays_are_refused_too(self, machine):
        case = make_case("uint8", "channels")
        out = device_outputs(machine, case, full=True)
        wrong = replace(out, residual=machine.empty(1000, np.float64))
        with pytest.raises(InputError, match="residual: type float64, expected float32"):
            cuda.CudaBackend().solve_strip(
                case.problem, machine.on_device(case.samples), None, wrong
            )
        assert not machine.launches


class TestFrontDoor:
    """``solve`` on whole images, with the device chosen by name or by where the images lie."""

    H, W = 20, 50

    def images(self, mode="grey"):
        case = make_case("uint16", mode, pixels=self.H * self.W)
        shape = (12, self.H, self.W, *case.samples.shape[2:])
        return case, case.samples.reshape(shape), case.mask.reshape(self.H, self.W)

    def solve(self, case, images, mask, **options):
        return mvps.solve(images, case.rig, mask=mask, **options)

    @pytest.mark.parametrize("mode", ["grey", "channels"])
    def test_device_images_give_a_device_solution(self, machine, mode):
        case, images, mask = self.images(mode)
        grey = "channels" if mode == "channels" else "luminance"

        found = self.solve(case, machine.on_device(images), machine.on_device(mask), grey=grey)
        expected = self.solve(case, images, mask, device="reference", grey=grey)

        for name, array in arrays(expected).items():
            assert devices.device_of(getattr(found, name)) == "cuda:0", name
            np.testing.assert_allclose(getattr(found, name), array, atol=2e-5, err_msg=name)
        assert machine.synchronised == 0

    def test_foreign_device_images_are_solved_where_they_lie(self, machine):
        case, images, _ = self.images()
        on_device = machine.on_device(images)
        foreign = SimpleNamespace(__dlpack_device__=lambda: (2, 0), device_array=on_device)

        found = self.solve(case, foreign, None)

        assert machine.launches[0].args[0].base is on_device
        assert devices.device_of(found.normals) == "cuda:0"

    def test_host_images_go_to_the_device_asked_for_and_come_back(self, machine):
        machine.devices = 2
        case, images, mask = self.images()

        found = self.solve(case, images, mask, device="cuda:1")

        assert devices.device_of(found.normals) is None
        assert {launch.device for launch in machine.launches} == {1}


def test_the_pretended_cupy_offers_nothing_that_the_real_one_lacks(machine):
    pretended = sys.modules.pop("cupy")
    real = pytest.importorskip("cupy", exc_type=ImportError)

    def compare(ours, theirs, path):
        names = vars(ours).keys() - {"__name__", "__doc__", "__package__", "__loader__", "__spec__"}
        for name in names:
            assert hasattr(theirs, name), f"{path}.{name}"
            if isinstance(getattr(ours, name), SimpleNamespace):
                compare(getattr(ours, name), getattr(theirs, name), f"{path}.{name}")

    compare(pretended, real, "cupy")
    assert "blocking" in real.ndarray.get.__doc__
