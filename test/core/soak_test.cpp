#include "check.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include "demo_model.h"

using namespace vcap;

namespace {

/** How much of it: a little among the other tests, all of it in `npm run soak`. */
int count_of(const char * variable, int otherwise) {
    const char * value = std::getenv(variable);
    return value == nullptr ? otherwise : std::atoi(value);
}

CaptionRequest request(int number, int max_tokens) {
    CaptionRequest request;
    const auto shade = [&](int step) { return static_cast<uint8_t>(60 + (number * step) % 190); };
    for (int frame = 0; frame < 1 + number % 3; frame++) {
        request.images.pictures.push_back(
            demo::disc(0.3 + 0.15 * frame, 0.5, 0.15 + 0.01 * (number % 5), shade(37), shade(59), shade(83)));
    }
    request.images.detail = number % 4 == 0 ? Detail::automatic : Detail::overview;
    request.questions[0].prompt = number % 2 == 0 ? "Describe this video." : "What is shown?";
    request.questions[0].max_tokens = max_tokens;
    return request;
}

/** Answers that are awaited together, by kind. */
struct Answers {
    std::atomic<int> captions{0};
    std::atomic<int> errors{0};
    std::atomic<int> cut{0};

    std::function<void(Outcome<Captions>)> callback() {
        return [this](Outcome<Captions> outcome) { (std::holds_alternative<Error>(outcome) ? errors : captions)++; };
    }
};

void drain(Engine & engine) {
    std::promise<void> closed;
    engine.close([&] { closed.set_value(); });
    closed.get_future().wait();
}

/** Captions, those that are cancelled on their way, one that cannot fit and pictures that are none, to the end. */
void caption_some(int captions, int cycle) {
    Answers answers;
    int cancelled = 0;
    {
        const auto engine = demo::load(1 + cycle % 5);
        for (int i = 0; i < captions; i++)
            engine->caption(request(cycle + i, 16), answers.callback(), [&] { answers.cut++; });
        for (int i = 0; i < 3; i++) {
            const uint64_t id = engine->caption(request(i, 400), answers.callback(), [&] { answers.cut++; });
            if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(i * (cycle % 7)));
            engine->cancel(id);
            cancelled++;
        }
        engine->caption(request(cycle, 100000), answers.callback(), [&] { answers.cut++; });
        std::promise<void> embedded;
        engine->embed(request(cycle, 1).images, [&](Outcome<Embedding>) { embedded.set_value(); });
        CaptionRequest broken = request(cycle, 1);
        broken.images.pictures[0].pixels.pop_back();
        CHECK_EQUAL(check::error_code([&] { engine->caption(std::move(broken), answers.callback()); }), "usage");
        drain(*engine);
        embedded.get_future().wait();
    }
    CHECK_EQUAL(answers.captions.load() + answers.errors.load(), captions + cancelled + 1);
    CHECK(answers.captions >= captions);
    CHECK_EQUAL(answers.cut.load(), captions + cancelled + 1);
}

/** An engine that goes with all its work under way. */
void leave_in_the_middle(int cycle) {
    Answers answers;
    {
        const auto engine = demo::load(3);
        for (int i = 0; i < 8; i++) engine->caption(request(i, 400), answers.callback());
        engine->embed(request(cycle, 1).images, [](Outcome<Embedding>) {});
        std::this_thread::sleep_for(std::chrono::milliseconds(cycle % 30));
    }
    CHECK_EQUAL(answers.captions.load() + answers.errors.load(), 8);
}

/** Loads that come to nothing: files cut off at many places, swapped, missing, and a load that is given up. */
void fail_to_load(int cycle) {
    const std::string cut = std::filesystem::temp_directory_path() / ("vcap-soak-" + std::to_string(std::rand()));
    const auto bytes = static_cast<std::uintmax_t>(1000 + 977 * (cycle % 1500));
    for (const bool is_model : {true, false}) {
        std::filesystem::copy_file(is_model ? demo::model : demo::mmproj, cut);
        std::filesystem::resize_file(cut, std::min(bytes, std::filesystem::file_size(cut) - 1));
        EngineOptions options = demo::options(2);
        (is_model ? options.model : options.mmproj) = cut;
        CHECK(check::error_code([&] { Engine(options, [](float) { return true; }); }) != "");
        std::filesystem::remove(cut);
    }
    EngineOptions swapped = demo::options(1);
    std::swap(swapped.model, swapped.mmproj);
    CHECK(check::error_code([&] { Engine(swapped, [](float) { return true; }); }) != "");
    EngineOptions missing = demo::options(1);
    missing.model = "no/such/file.gguf";
    CHECK_EQUAL(check::error_code([&] { Engine(missing, [](float) { return true; }); }), "model_not_found");
    const float until = 0.1f * (cycle % 10);
    CHECK_EQUAL(check::error_code([&] { Engine(demo::options(1), [&](float done) { return done < until; }); }),
                "aborted");
}

}   // namespace

TEST("soak: models are loaded and closed, with captions, refusals, cancellations and failed loads in between") {
    const int captions = count_of("VCAP_SOAK_CAPTIONS", 20);
    const int cycles = count_of("VCAP_SOAK_CYCLES", 5);
    for (int cycle = 0; cycle < cycles; cycle++) {
        caption_some((captions + cycles - 1) / cycles, cycle);
        leave_in_the_middle(cycle);
        fail_to_load(cycle);
    }
}
