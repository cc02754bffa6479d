// main() of the sanitised build: one launch, read from the file argv[1]; its buffers go back to argv[2].
// Every buffer is its own heap block of the exact size, so that AddressSanitizer sees one byte too far.
// The file: kernel name (64 bytes), 6 x u32 grid and block, u32 order, u32 argument count; then for each
// argument u32 role (0 value, 1 buffer, 2 null pointer), u32 zero, u64 size and the bytes.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>

struct HostKernel {
    const char* name;
    void (*launch)(const unsigned* dims, unsigned order, void* const* values);
};

namespace replay {

enum Role : uint32_t { value = 0, buffer = 1, null_pointer = 2 };

struct Header {
    char name[64];
    uint32_t dims[6], order, count;
};

struct Argument {
    uint32_t role, zero;
    uint64_t size;
};

inline void read(void* into, std::size_t size, FILE* file)
{
    if (std::fread(into, 1, size, file) != size) std::exit(3);
}

template <std::size_t count>
int main(const HostKernel (&kernels)[count], const char* input, const char* output)
{
    FILE* file = std::fopen(input, "rb");
    if (!file) return 3;
    Header header;
    read(&header, sizeof header, file);
    std::vector<Argument> arguments(header.count);
    std::vector<std::unique_ptr<char[]>> storage(header.count);
    std::vector<void*> pointers(header.count), values(header.count);
    for (uint32_t i = 0; i < header.count; ++i) {
        read(&arguments[i], sizeof(Argument), file);
        storage[i].reset(new char[arguments[i].size]);
        read(storage[i].get(), arguments[i].size, file);
        pointers[i] = arguments[i].role == buffer ? storage[i].get() : nullptr;
        values[i] = arguments[i].role == value ? static_cast<void*>(storage[i].get()) : &pointers[i];
    }
    std::fclose(file);
    for (const HostKernel& kernel : kernels)
        if (std::strncmp(kernel.name, header.name, sizeof header.name) == 0)
            kernel.launch(header.dims, header.order, values.data());
    file = std::fopen(output, "wb");
    if (!file) return 3;
    for (uint32_t i = 0; i < header.count; ++i)
        if (arguments[i].role == buffer) std::fwrite(storage[i].get(), 1, arguments[i].size, file);
    return std::fclose(file);
}

}  // namespace replay
