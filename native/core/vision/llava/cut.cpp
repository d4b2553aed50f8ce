#include "core/vision/llava/cut.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/vision/resample.h"

namespace vcap::llava {
namespace {

// Bytes that a picture may have when it is padded or scaled to be cut. A long and thin one grows by far.
constexpr int64_t MAX_BYTES = int64_t{2} << 30;

using Colour = std::array<uint8_t, 3>;

// LLaVA-1.5 pads to a square with the mean colour of CLIP's training pictures.
constexpr Colour SQUARE_PADDING = {122, 116, 104};

/** Pixels of a picture that somebody else owns: interleaved RGB. */
struct View {
    const uint8_t * pixels;
    Size size;
};

View view(const Picture & picture) { return {picture.pixels.data(), picture.size}; }

Picture filled(Size size, const Colour & colour) {
    Picture picture{std::vector<uint8_t>(3ull * size.width * size.height), size};
    if (colour != Colour{}) {
        for (size_t i = 0; i < picture.pixels.size(); i += 3) {
            std::copy(colour.begin(), colour.end(), picture.pixels.begin() + i);
        }
    }
    return picture;
}

Picture stretch(const View & from, int width, int height) {
    return {resample_bicubic(from.pixels, from.size.width, from.size.height, width, height), {width, height}};
}

/** Copies the rectangle of `size` at (from_x, from_y) to (to_x, to_y) of `to`, whose rows are `to_width` pixels. */
void copy_rectangle(const View & from, int from_x, int from_y, uint8_t * to, int to_width, int to_x, int to_y,
                    Size size) {
    for (int y = 0; y < size.height; y++) {
        const uint8_t * source = from.pixels + 3 * (static_cast<size_t>(from_y + y) * from.size.width + from_x);
        std::memcpy(to + 3 * (static_cast<size_t>(to_y + y) * to_width + to_x), source, 3ull * size.width);
    }
}

/** Throws unreadable where what a picture becomes before it is cut would take too much memory. */
void require_bytes(Size picture, int64_t width, int64_t height) {
    if (3 * width * height > MAX_BYTES) {
        throw Error("unreadable", "A picture of " + std::to_string(picture.width) + " x " +
                                      std::to_string(picture.height) + " pixels would have " + std::to_string(width) +
                                      " x " + std::to_string(height) +
                                      " as this model wants it: crop it, or make it smaller");
    }
}

Picture padded_to_square(const View & picture) {
    const auto [width, height] = picture.size;
    const int side = std::max(width, height);
    require_bytes(picture.size, side, side);
    Picture square = filled({side, side}, SQUARE_PADDING);
    copy_rectangle(picture, 0, 0, square.pixels.data(), side, (side - width) / 2, (side - height) / 2, picture.size);
    return square;
}

/** The short side scaled to `side`, the long one cut off evenly, as CLIP's own preprocessing does it. */
Picture centre_crop(const View & picture, int side) {
    const auto [width, height] = picture.size;
    const auto scaled_length = [&](int length, int shorter) {
        const int64_t scaled = static_cast<int64_t>(side) * length / shorter;
        require_bytes(picture.size, side, scaled);
        return static_cast<int>(scaled);
    };
    const Picture scaled = width <= height ? stretch(picture, side, scaled_length(height, width))
                                           : stretch(picture, scaled_length(width, height), side);
    Picture tile = filled({side, side}, {});
    copy_rectangle(view(scaled), (scaled.size.width - side) / 2, (scaled.size.height - side) / 2, tile.pixels.data(),
                   side, 0, 0, tile.size);
    return tile;
}

/** The whole picture as one tile. */
Picture overview(const TileGeometry & geometry, const View & picture) {
    const int side = geometry.tile_size;
    if (geometry.aspect == "anyres") return stretch(picture, side, side);
    if (geometry.aspect == "pad") return stretch(view(padded_to_square(picture)), side, side);
    return centre_crop(picture, side);
}

/** The picture scaled to fit the grid, on black. */
Picture grid_canvas(const TileGeometry & geometry, const View & picture, const TileLayout & layout) {
    const int side = geometry.tile_size;
    Picture canvas = filled({layout.cols * side, layout.rows * side}, {});
    const Picture scaled = stretch(picture, layout.resized_width, layout.resized_height);
    copy_rectangle(view(scaled), 0, 0, canvas.pixels.data(), canvas.size.width, layout.pad_left, layout.pad_top,
                   scaled.size);
    return canvas;
}

}   // namespace

std::vector<uint8_t> cut_tiles(const TileGeometry & geometry, const Picture & picture, const TileLayout & layout) {
    const int side = geometry.tile_size;
    const size_t tile_bytes = 3ull * side * side;
    std::vector<uint8_t> tiles = overview(geometry, view(picture)).pixels;
    if (layout.cols == 0) {
        return tiles;
    }
    tiles.resize(tile_bytes * layout.tiles());
    const Picture canvas = grid_canvas(geometry, view(picture), layout);
    uint8_t * tile = tiles.data() + tile_bytes;
    for (int row = 0; row < layout.rows; row++) {
        for (int col = 0; col < layout.cols; col++, tile += tile_bytes) {
            copy_rectangle(view(canvas), col * side, row * side, tile, side, 0, 0, {side, side});
        }
    }
    return tiles;
}

std::vector<uint8_t> cut_frame(const TileGeometry & geometry, const Picture & frame) {
    return centre_crop(view(frame), geometry.tile_size).pixels;
}

}   // namespace vcap::llava
