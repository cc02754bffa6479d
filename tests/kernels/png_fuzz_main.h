// main() of the sanitised build: random and adversarial PNG rows through the filters, compared with the
// words of the specification. Every buffer is a heap block of its exact size, so that AddressSanitizer
// sees one byte too far. argv: seed, cases, and rows too many that are asked for (0, or 1 to be caught).
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace fuzz {

using Block = std::unique_ptr<uint8_t[]>;

inline Block block(std::size_t size) { return Block(new uint8_t[size]()); }

struct Random {
    uint64_t state;
    uint32_t below(uint32_t end)
    {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<uint32_t>((state >> 33) % end);
    }
};

struct Shape {
    int64_t rows, width;
    int samples, bytes;
    int64_t row() const { return width * pixel(); }
    int pixel() const { return samples * bytes; }
    int kept() const { return samples < 3 ? 1 : 3; }
};

inline Shape draw_shape(Random& random)
{
    // Widths around the vectors' 16 bytes, and some long rows.
    int64_t width = 1 + random.below(random.below(4) ? 40 : 3000);
    int samples = 1 + static_cast<int>(random.below(4));
    return {1 + random.below(9), width, samples, 1 + static_cast<int>(random.below(2))};
}

// All values, the extremes alone, or one value: sums wrap, predictions tie. Filters up to `filters`.
inline Block draw_rows(Random& random, const Shape& shape, uint32_t filters)
{
    Block rows = block(shape.rows * (shape.row() + 1));
    uint32_t style = random.below(3);
    uint8_t value = random.below(256), pair[2] = {value, static_cast<uint8_t>(~value)};
    for (int64_t y = 0; y < shape.rows; ++y) {
        uint8_t* row = &rows[y * (shape.row() + 1)];
        row[0] = random.below(filters);
        for (int64_t i = 1; i <= shape.row(); ++i)
            row[i] = style == 0 ? random.below(256) : style == 1 ? pair[random.below(2)] : value;
    }
    return rows;
}

inline int predicted(int filter, int a, int b, int c)
{
    int p = a + b - c, pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
    int paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    const int predictions[5] = {0, a, b, (a + b) / 2, paeth};
    return predictions[filter];
}

// Rows of the file, filters undone byte by byte; returns how many have a filter that exists.
inline int64_t undo_by_definition(const Shape& shape, const uint8_t* filtered, uint8_t* plain)
{
    int64_t row = shape.row();
    for (int64_t y = 0; y < shape.rows; ++y) {
        const uint8_t* from = filtered + y * (row + 1);
        if (from[0] > 4) return y;
        for (int64_t i = 0; i < row; ++i) {
            int64_t at = y * row + i;
            bool left = i >= shape.pixel();
            int a = left ? plain[at - shape.pixel()] : 0, b = y ? plain[at - row] : 0;
            int c = left && y ? plain[at - row - shape.pixel()] : 0;
            plain[at] = static_cast<uint8_t>(from[1 + i] + predicted(from[0], a, b, c));
        }
    }
    return shape.rows;
}

inline void require(bool truth, const char* what, const Shape& shape)
{
    if (truth) return;
    std::fprintf(stderr, "%s: %ld x %ld, %d samples of %d bytes\n", what, long(shape.rows),
                 long(shape.width), shape.samples, shape.bytes);
    std::exit(1);
}

inline void unfilter_case(Random& random, int64_t beyond)
{
    Shape shape = draw_shape(random);
    Block filtered = draw_rows(random, shape, random.below(4) ? 5 : 256);
    Block plain = block(shape.rows * shape.row());
    int64_t good = undo_by_definition(shape, filtered.get(), plain.get());

    int64_t out_row = shape.width * shape.kept() * shape.bytes;
    Block out = block(shape.rows * out_row), lines = block(2 * (shape.row() + 8));
    bool nowhere = random.below(4) == 0;
    // In two calls, as a reader makes them.
    int64_t first = random.below(static_cast<uint32_t>(shape.rows + 1));
    int64_t done = mvps_png_unfilter_baseline(filtered.get(), first, shape.width, shape.samples, shape.bytes,
                                              lines.get(), nowhere ? nullptr : out.get());
    if (done == first)
        done += mvps_png_unfilter_baseline(filtered.get() + first * (shape.row() + 1),
                                           shape.rows - first + beyond, shape.width, shape.samples,
                                           shape.bytes, lines.get(),
                                           nowhere ? nullptr : out.get() + first * out_row);
    require(done == good, "rows done", shape);
    if (good) require(!std::memcmp(lines.get(), &plain[(good - 1) * shape.row()], shape.row()), "line", shape);
    for (int64_t i = 0; i < (nowhere ? 0 : good * shape.width * shape.kept()); ++i)
        for (int b = 0; b < shape.bytes; ++b) {
            int64_t from = i / shape.kept() * shape.pixel() + i % shape.kept() * shape.bytes;
            uint8_t wanted = plain[from + shape.bytes - 1 - b];
            require(out[i * shape.bytes + b] == wanted, "sample", shape);
        }
}

inline void filter_case(Random& random)
{
    Shape shape = draw_shape(random);
    Block rows = draw_rows(random, shape, 256);
    int64_t row = shape.row();
    Block filtered = block(shape.rows * (row + 1)), above = block(row);
    Block plain = block(shape.rows * row), back = block(shape.rows * row);
    std::memcpy(plain.get(), rows.get(), shape.rows * row);
    mvps_png_filter_up_baseline(plain.get(), shape.rows, row, shape.bytes, above.get(), filtered.get());
    require(!std::memcmp(above.get(), &plain[(shape.rows - 1) * row], row), "row above", shape);
    undo_by_definition(shape, filtered.get(), back.get());
    for (int64_t i = 0; i < shape.rows * row; ++i)
        require(back[i] == plain[shape.bytes == 1 ? i : i ^ 1], "way back", shape);
}

inline int main(char** argv)
{
    Random random{std::strtoull(argv[1], nullptr, 10)};
    for (long left = std::atol(argv[2]); left > 0; --left) {
        unfilter_case(random, std::atol(argv[3]));
        filter_case(random);
    }
    return 0;
}

}  // namespace fuzz
