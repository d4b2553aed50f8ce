// A model's file that changes while it is in use: cut off, written over, touched, replaced.
#include "check.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mapping_guard.h"
#include "core/open_file.h"
#include "demo_model.h"

using namespace vcap;

namespace {

namespace fs = std::filesystem;

/** A copy of the demo's language model, deleted with the object. */
struct Copy {
    Copy() { fs::copy_file(demo::model, path, fs::copy_options::overwrite_existing); }
    ~Copy() { unlink(path.c_str()); }
    std::string path = "/tmp/vcap-core-watch-" + std::to_string(getpid()) + ".gguf";
};

std::unique_ptr<Engine> load(const Copy & copy, bool map) {
    EngineOptions options = demo::options(2);
    options.model = copy.path;
    options.map = map;
    return std::make_unique<Engine>(options, [](float) { return true; });
}

/** The caption of a red disc, or the code of its error. */
std::string caption(Engine & engine) {
    CaptionRequest request;
    request.images.pictures = {demo::disc(0.5, 0.5, 0.3, 220, 40, 40)};
    request.questions[0].prompt = "Describe the image.";
    request.questions[0].max_tokens = 24;
    std::promise<std::string> answer;
    engine.caption(std::move(request), [&](Outcome<Captions> outcome) {
        const Captions * captions = std::get_if<Captions>(&outcome);
        answer.set_value(captions != nullptr ? std::get<Caption>(captions->front()).text
                                             : std::get<Error>(outcome).code());
    });
    return answer.get_future().get();
}

/** What a caption is when `change` happens to the file between it and one before; that one's text is `right`. */
std::string caption_after(bool map, const std::function<void(const std::string & path)> & change, std::string & right) {
    const Copy copy;
    const std::unique_ptr<Engine> engine = load(copy, map);
    right = caption(*engine);
    CHECK(right.find("red") != std::string::npos);
    change(copy.path);
    return caption(*engine);
}

void cut(const std::string & path) { fs::resize_file(path, 4096); }

}   // namespace

TEST("file watch: a mapped model that is cut off is an error of the engine, not the end of the process") {
    std::string right;
#ifdef __linux__
    CHECK_EQUAL(caption_after(true, cut, right), "engine_error");
#endif
    CHECK_EQUAL(caption_after(false, cut, right), right);
}

#ifdef __linux__
TEST("file watch: what a cut file no longer has reads as zeros, and is told") {
    const Copy copy;
    const OpenFile file(copy.path);
    const MappingGuard guard(copy.path);
    const FileMapping mapping = file.map(1000, 200000);
    const auto sum = [&](size_t from, size_t to) {
        uint64_t total = 0;
        for (size_t i = from; i < to; i++) total += mapping.data()[i];
        return total;
    };
    const uint64_t head = sum(0, 3000);
    CHECK(head > 0 && sum(10000, 200000) > 0 && !guard.lost());
    cut(copy.path);
    CHECK_EQUAL(sum(10000, 200000), uint64_t(0));
    CHECK_EQUAL(sum(0, 3000), head);
    CHECK(guard.lost());
    CHECK(!MappingGuard(demo::mmproj).lost());
}

TEST("file watch: the handler of SIGBUS is there as long as a mapped model, and goes with the last") {
    const auto handler = [] {
        struct sigaction now;
        CHECK(sigaction(SIGBUS, nullptr, &now) == 0);
        return reinterpret_cast<uintptr_t>(now.sa_sigaction);
    };
    const uintptr_t before = handler();
    const Copy copy;
    {
        const std::unique_ptr<Engine> first = load(copy, true);
        CHECK(handler() != before);
        load(copy, true).reset();
        CHECK(handler() != before);
    }
    CHECK_EQUAL(handler(), before);
    load(copy, false);
    CHECK_EQUAL(handler(), before);
}

TEST("file watch: a mapped model that is cut off in the middle of a caption") {
    for (int wait = 0; wait < 40; wait += 4) {
        const Copy copy;
        const std::unique_ptr<Engine> engine = load(copy, true);
        const std::string right = caption(*engine);
        std::thread cutter([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(wait));
            cut(copy.path);
        });
        for (const std::string & text : {caption(*engine), caption(*engine)}) {
            CHECK(text == right || text == "engine_error");
        }
        cutter.join();
        CHECK_EQUAL(caption(*engine), "engine_error");
    }
}
#endif

TEST("file watch: a mapped model that is written over is seen before its next caption") {
    const auto write_over = [](const std::string & path) {
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(300000);
        file << std::string(2000000, 'x');
    };
    std::string right;
    CHECK_EQUAL(caption_after(true, write_over, right), "engine_error");
    CHECK_EQUAL(caption_after(false, write_over, right), right);
}

TEST("file watch: a model that is touched, copied over itself or replaced by renaming is as it was") {
    std::string right;
    const auto touch = [](const std::string & path) { CHECK(utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0); };
    CHECK_EQUAL(caption_after(true, touch, right), right);
    const auto rewrite = [](const std::string & path) {
        std::ifstream from(demo::model, std::ios::binary);
        std::fstream(path, std::ios::binary | std::ios::in | std::ios::out) << from.rdbuf();
    };
    CHECK_EQUAL(caption_after(true, rewrite, right), right);
    const auto replace = [](const std::string & path) {
        std::ofstream(path + ".new") << "something else";
        fs::rename(path + ".new", path);
    };
    CHECK_EQUAL(caption_after(true, replace, right), right);
    CHECK_EQUAL(caption_after(true, [](const std::string & path) { unlink(path.c_str()); }, right), right);
}

TEST("file watch: a model that changes while it is loaded is refused") {
    for (const bool map : {true, false}) {
        const Copy copy;
        EngineOptions options = demo::options(1);
        options.model = copy.path;
        options.map = map;
        bool done = false;
        const auto replace = [&](float fraction) {
            if (fraction > 0.1f && !done) {
                done = true;
                std::ofstream(copy.path + ".new") << "something else";
                fs::rename(copy.path + ".new", copy.path);
            }
            return true;
        };
        CHECK_EQUAL(check::error_code([&] { Engine(options, replace); }), "model_invalid");
        CHECK(done);
    }
}
