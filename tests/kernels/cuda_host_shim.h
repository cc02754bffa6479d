// Runs CUDA C++ kernels on the CPU, for tests. A whole .cu file compiles as plain C++ behind this header,
// and loops over blocks and threads stand in for the grid, in an order that the test chooses.
//
// Threads run one after the other, so no kernel here may wait for another thread: __syncthreads, warp
// shuffles and __shared__ stay undefined on purpose and stop the build. The first kernel that cooperates
// needs one stack a thread (fibers) instead of the inner loop below, and several orders to find a missing
// barrier. The indices are plain globals: one launch at a time.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};

inline uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace host_shim {

enum Order : unsigned { ascending = 0, descending = 1 };  // any other number seeds a shuffle

inline std::vector<uint64_t> visiting_order(uint64_t count, unsigned order)
{
    std::vector<uint64_t> visits(count);
    for (uint64_t i = 0; i < count; ++i) visits[i] = order == descending ? count - 1 - i : i;
    if (order > descending) {
        std::mt19937_64 random(order);
        for (uint64_t i = count; i > 1; --i) std::swap(visits[i - 1], visits[random() % i]);
    }
    return visits;
}

inline uint3 position(uint64_t linear, uint3 extent)
{
    const uint64_t row = linear / extent.x;
    return {unsigned(linear % extent.x), unsigned(row % extent.y), unsigned(row / extent.y)};
}

inline uint64_t volume(uint3 extent) { return uint64_t(extent.x) * extent.y * extent.z; }

// values[i] points at the i-th argument, as in cuLaunchKernel; dims holds the grid, then the block.
template <typename... Arguments>
void launch(void (*kernel)(Arguments...), const unsigned dims[6], unsigned order, void* const* values)
{
    std::tuple<Arguments...> arguments;
    std::size_t next = 0;
    std::apply([&](auto&... each) { (std::memcpy(&each, values[next++], sizeof each), ...); }, arguments);
    gridDim = {dims[0], dims[1], dims[2]};
    blockDim = {dims[3], dims[4], dims[5]};
    const std::vector<uint64_t> threads = visiting_order(volume(blockDim), order);
    for (uint64_t block : visiting_order(volume(gridDim), order)) {
        blockIdx = position(block, gridDim);
        for (uint64_t thread : threads) {
            threadIdx = position(thread, blockDim);
            std::apply(kernel, arguments);
        }
    }
}

template <typename T>
std::string description()
{
    const char* kind = std::is_pointer_v<T> ? "p" : std::is_floating_point_v<T> ? "f" : std::is_integral_v<T> ? "i" : "s";
    return kind + std::to_string(sizeof(T)) + " ";
}

// The parameter list as text, kind and bytes: "p8 i8 f4 s3096 ", s for a struct passed by value.
template <typename... Arguments>
const char* signature(void (*)(Arguments...))
{
    static const std::string text = (std::string() + ... + description<Arguments>());
    return text.c_str();
}

}  // namespace host_shim

#define HOST_KERNEL(name)                                                                             \
    extern "C" const char* signature_##name() { return host_shim::signature(&name); }                 \
    extern "C" void launch_##name(const unsigned* dims, unsigned order, void* const* values)          \
    {                                                                                                 \
        host_shim::launch(&name, dims, order, values);                                                \
    }
