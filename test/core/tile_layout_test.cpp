#include "check.h"
#include "core/vision/llava/pack.h"
#include "core/vision/llava/processor.h"
#include "core/vision/llava/tiling.h"

#include <algorithm>
#include <climits>
#include <set>

using namespace vcap;
using namespace vcap::llava;

namespace {

TileGeometry clip_l() {
    TileGeometry geometry;
    geometry.pinpoints = {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}};
    return geometry;
}

struct Row {
    int width, height, cols, rows, resized_width, resized_height, kept_cols, kept_rows, tokens;
};

}   // namespace

TEST("tile layout: the reference's token counts, three frames of 640x360 being 5844") {
    const Row table[] = {
        {1280, 720, 2, 2, 672, 378, 48, 28, 1948}, {1920, 1080, 2, 2, 672, 378, 48, 28, 1948},
        {640, 360, 2, 2, 672, 378, 48, 28, 1948},  {720, 1280, 2, 2, 378, 672, 28, 48, 1968},
        {640, 480, 2, 2, 672, 504, 48, 36, 2340},  {854, 480, 2, 2, 672, 378, 48, 26, 1850},
        {597, 336, 2, 1, 597, 336, 42, 24, 1608},  {336, 336, 1, 2, 336, 336, 24, 24, 1176},
        {256, 256, 1, 2, 336, 336, 24, 24, 1176},  {320, 240, 1, 2, 336, 252, 24, 18, 1026},
    };
    for (const Row & row : table) {
        const TileLayout layout = tile_layout(clip_l(), row.width, row.height, INT_MAX);
        CHECK_EQUAL(layout.cols, row.cols);
        CHECK_EQUAL(layout.rows, row.rows);
        CHECK_EQUAL(layout.resized_width, row.resized_width);
        CHECK_EQUAL(layout.resized_height, row.resized_height);
        CHECK_EQUAL(layout.kept_cols, row.kept_cols);
        CHECK_EQUAL(layout.kept_rows, row.kept_rows);
        CHECK_EQUAL(layout.tokens, row.tokens);
        CHECK_EQUAL(static_cast<int>(pack_order(clip_l(), layout).size()), row.tokens);
    }
    CHECK_EQUAL(3 * tile_layout(clip_l(), 640, 360, INT_MAX).tokens, 3 * (576 + 28 * 49));
}

TEST("tile layout: the number of tiles can be bounded, down to the overview") {
    CHECK_EQUAL(tile_layout(clip_l(), 1280, 720, 4).tiles(), 5);
    CHECK_EQUAL(tile_layout(clip_l(), 3000, 720, 3).cols, 3);
    CHECK_EQUAL(tile_layout(clip_l(), 1280, 720, 2).cols, 2);
    CHECK_EQUAL(tile_layout(clip_l(), 1280, 720, 0).tokens, 577);
    CHECK_EQUAL(tile_layout(clip_l(), 1280, 720, 0).tiles(), 1);
}

TEST("tile layout: the overview comes first, each row ends with a newline, no patch comes twice") {
    for (const auto & [width, height] :
         {std::pair{640, 360}, {360, 640}, {100, 100}, {861, 328}, {5000, 300}, {3, 4000}}) {
        const TileGeometry geometry = clip_l();
        const TileLayout layout = tile_layout(geometry, width, height, INT_MAX);
        const std::vector<int> order = pack_order(geometry, layout);
        CHECK_EQUAL(static_cast<int>(order.size()), layout.tokens);
        std::set<int> seen;
        int newlines = 0;
        for (size_t i = 0; i < order.size(); i++) {
            if (i < 576) CHECK_EQUAL(order[i], static_cast<int>(i));
            if (order[i] == NEWLINE) {
                newlines++;
                CHECK_EQUAL(static_cast<int>((i - 576) % (layout.kept_cols + 1)), layout.kept_cols);
            } else {
                CHECK(order[i] >= 0 && order[i] < layout.tiles() * 576);
                CHECK(seen.insert(order[i]).second);
            }
        }
        CHECK_EQUAL(newlines, layout.kept_rows);
    }
}

TEST("tile layout: slivers and giants are laid out within their canvas") {
    for (const auto & [width, height] :
         {std::pair{1, 1}, {1, 4096}, {4096, 1}, {4096, 64}, {100000, 1}, {7680, 4320}, {2147483647, 2147483647}}) {
        const TileLayout layout = tile_layout(clip_l(), width, height, INT_MAX);
        CHECK(layout.resized_width >= 1 && layout.pad_left >= 0 &&
              layout.pad_left + layout.resized_width <= 336 * layout.cols);
        CHECK(layout.resized_height >= 1 && layout.pad_top >= 0 &&
              layout.pad_top + layout.resized_height <= 336 * layout.rows);
        CHECK(layout.kept_cols >= 0 && layout.kept_rows >= 0 && layout.tokens >= 576);
    }
}

TEST("tile layout: flat and spatial merging have no newline and keep every patch") {
    TileGeometry geometry = clip_l();
    geometry.merge = "flat";
    CHECK_EQUAL(tile_layout(geometry, 1280, 720, INT_MAX).tokens, 5 * 576);
    CHECK_EQUAL(pack_order(geometry, tile_layout(geometry, 1280, 720, INT_MAX)).back(), 5 * 576 - 1);
    geometry.merge = "spatial";
    const std::vector<int> order = pack_order(geometry, tile_layout(geometry, 1280, 720, INT_MAX));
    CHECK_EQUAL(static_cast<int>(order.size()), 5 * 576);
    CHECK_EQUAL(order[576 + 24], 2 * 576);   // the first row goes on in the tile to the right
}

TEST("tile layout: LLaVA-1.5 takes one tile and no newline") {
    TileGeometry geometry;
    geometry.aspect = "pad";
    geometry.merge = "flat";
    CHECK_EQUAL(tile_layout(geometry, 1280, 720, INT_MAX).tokens, 576);
}

TEST("tile layout: impossible sizes and grids are refused") {
    CHECK_EQUAL(check::error_code([] { tile_layout(clip_l(), 0, 5, INT_MAX); }), "usage");
    CHECK_EQUAL(check::error_code([] { tile_layout(clip_l(), 5, -1, INT_MAX); }), "usage");
    CHECK_EQUAL(check::error_code([] { tile_layout_of_grid(clip_l(), 640, 360, 3, 3); }), "usage");
}

TEST("image processor: automatic detail takes the most tiles that fit, full all, and what fits least is said") {
    Config config;
    config.geometry = clip_l();
    config.feature_width = 64;
    const Processor processor(config);
    const std::vector<Size> three(3, Size{1280, 720});
    const auto tokens = [&](Detail detail, int64_t room) {
        int sum = 0;
        for (const ImageLayout & layout : processor.fit(three, detail, {}, room)) {
            CHECK_EQUAL(layout.tokens, static_cast<int>(processor.order(layout).size()));
            sum += layout.tokens;
        }
        return sum;
    };
    CHECK_EQUAL(tokens(Detail::automatic, 5844), 5844);
    CHECK_EQUAL(tokens(Detail::full, 1), 5844);
    CHECK_EQUAL(tokens(Detail::overview, 100000), 3 * 577);
    const int less = tokens(Detail::automatic, 5843);
    CHECK(less < 5844 && less > 3 * 577);
    CHECK_EQUAL(tokens(Detail::automatic, 3 * 577), 3 * 577);
    CHECK_EQUAL(tokens(Detail::automatic, 10), 3 * 577);
    const auto pooled = [&](Detail detail, int64_t room) {
        int sum = 0;
        for (const ImageLayout & layout : processor.fit(three, detail, {1, true}, room)) {
            CHECK_EQUAL(layout.tokens, static_cast<int>(processor.order(layout).size()));
            sum += layout.tokens;
        }
        return sum;
    };
    CHECK_EQUAL(pooled(Detail::automatic, 3 * 577), 3 * 577);
    CHECK_EQUAL(pooled(Detail::automatic, 3 * 577 - 1), 3 * 144);
    CHECK_EQUAL(pooled(Detail::automatic, 3 * 144 - 1), 3 * 64);
    CHECK_EQUAL(pooled(Detail::automatic, 1), 3 * 36);
    CHECK_EQUAL(pooled(Detail::full, 1), 5844);
    CHECK(processor.fit({}, Detail::automatic, {}, 0).empty());
}

TEST("image processor: a picture's tiles have the bytes that its layout says") {
    Config config;
    config.geometry = clip_l();
    const auto bytes = [&](int width, int height, Detail detail) {
        const Processor processor(config);
        const Picture picture{std::vector<uint8_t>(3ull * width * height, 200), {width, height}};
        const ImageLayout layout = processor.fit({picture.size}, detail, {}, INT64_MAX).front();
        const std::vector<uint8_t> tiles = processor.cut(picture, layout);
        CHECK_EQUAL(tiles.size(), layout.tiles * processor.tile_bytes());
        return tiles;
    };
    for (const auto & [width, height] : {std::pair{640, 360}, {1, 1}, {3, 900}, {900, 3}, {335, 337}}) {
        CHECK(bytes(width, height, Detail::full).size() >= bytes(width, height, Detail::overview).size());
    }
    CHECK_EQUAL(bytes(640, 360, Detail::overview)[0], 200);
    CHECK_EQUAL(bytes(640, 360, Detail::full)[3 * 336 * 336], 0);   // black above the picture in the grid
    config.geometry.pinpoints.clear();
    config.geometry.aspect = "pad";
    CHECK_EQUAL(bytes(640, 360, Detail::full)[0], 122);
    config.geometry.aspect = "crop";
    for (const auto & [width, height] : {std::pair{640, 360}, {360, 640}, {336, 336}}) {
        CHECK_EQUAL(bytes(width, height, Detail::full).back(), 200);
    }
}

TEST("image processor: a video's frames are one tile each, with the newlines where they are wanted") {
    Config config;
    config.geometry = clip_l();
    config.newline = "v.image_newline";
    const std::vector<Size> eight(8, Size{1280, 720});
    const auto tokens = [&](const Pooling & pooling) {
        const Processor processor(config);
        int sum = 0;
        for (const ImageLayout & layout : processor.fit(eight, Detail::full, pooling, 0)) {
            const std::vector<int> order = processor.order(layout);
            CHECK_EQUAL(layout.tokens, static_cast<int>(order.size()));
            CHECK_EQUAL(layout.tiles, 1);
            const auto features = order.size() - std::count(order.begin(), order.end(), NEWLINE);
            CHECK_EQUAL(static_cast<int>(features), processor.features_per_tile(pooling));
            sum += layout.tokens;
        }
        return sum;
    };
    CHECK_EQUAL(tokens({2, false, PoolMode::average, false, NewlinePlace::none}), 8 * 144);
    CHECK_EQUAL(tokens({2, false, PoolMode::average, false, NewlinePlace::video}), 8 * 144 + 1);
    CHECK_EQUAL(tokens({2, false, PoolMode::average, false, NewlinePlace::frame}), 8 * 145);
    CHECK_EQUAL(tokens({2, false, PoolMode::average, false, NewlinePlace::row}), 8 * 12 * 13);
    CHECK_EQUAL(tokens({3, false, PoolMode::max, false, NewlinePlace::none}), 8 * 64);
    CHECK_EQUAL(tokens({4, false, PoolMode::bilinear, true, NewlinePlace::none}), 8 * 36);
    CHECK_EQUAL(tokens({5, false, PoolMode::average, false, NewlinePlace::none}), 8 * 16);
    CHECK_EQUAL(tokens({5, false, PoolMode::bilinear, false, NewlinePlace::none}), 8 * 25);
    config.newline.clear();
    CHECK_EQUAL(tokens({2, false, PoolMode::average, false, NewlinePlace::none}), 8 * 144);
    for (const Pooling & wrong : {Pooling{25}, {2, false, PoolMode::average, false, NewlinePlace::video}}) {
        CHECK_EQUAL(check::error_code([&] { Processor(config).fit(eight, Detail::full, wrong, 0); }), "usage");
    }
}
