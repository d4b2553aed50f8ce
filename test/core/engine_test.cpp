#include "check.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <random>

#include "demo_model.h"
#include "gguf.h"

using namespace vcap;

namespace {

struct Answer {
    std::promise<Outcome<Captions>> promise;
    std::future<Outcome<Captions>> future = promise.get_future();

    std::function<void(Outcome<Captions>)> callback() {
        return [this](Outcome<Captions> outcome) { promise.set_value(std::move(outcome)); };
    }
    Captions captions() { return got<Captions>(future.get()); }
    /** Of the one question. */
    Caption caption() { return got<Caption>(captions().at(0)); }

    template <typename T>
    static T got(Outcome<T> outcome) {
        if (const Error * error = std::get_if<Error>(&outcome)) throw *error;
        return std::get<T>(std::move(outcome));
    }
};

CaptionRequest request(int number, int max_tokens = 24) {
    CaptionRequest request;
    const auto shade = [&](int step) { return static_cast<uint8_t>(60 + (number * step) % 190); };
    for (int frame = 0; frame < 1 + number % 3; frame++) {
        request.images.pictures.push_back(
            demo::disc(0.3 + 0.15 * frame, 0.5, 0.15 + 0.01 * (number % 5), shade(37), shade(59), shade(83)));
    }
    request.images.detail = Detail::overview;
    request.questions[0].prompt = "Describe this video.";
    request.questions[0].max_tokens = max_tokens;
    return request;
}

/** A copy of a model file in which all bits of one tensor are set: NaN in every type of ggml's. Removed at the end. */
struct DamagedFile {
    std::string path;

    DamagedFile(const std::string & file, const std::string & tensor)
        : path(std::filesystem::temp_directory_path() / ("vcap-" + std::to_string(std::random_device()()) + ".gguf")) {
        std::filesystem::copy_file(file, path);
        gguf_context * header = gguf_init_from_file(path.c_str(), {true, nullptr});
        const int64_t id = gguf_find_tensor(header, tensor.c_str());
        if (id < 0) throw std::runtime_error("no tensor " + tensor);
        const size_t offset = gguf_get_data_offset(header) + gguf_get_tensor_offset(header, id);
        const std::string bits(gguf_get_tensor_size(header, id), '\xff');
        gguf_free(header);
        std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(static_cast<std::streamoff>(offset)).write(bits.data(), static_cast<std::streamsize>(bits.size()));
    }
    ~DamagedFile() { std::filesystem::remove(path); }
};

/** The codes of requests that a pair of files answers one after the other, with a pause or all at once. */
std::vector<std::string> codes(const std::string & model, const std::string & mmproj, int count, bool at_once) {
    EngineOptions options = demo::options(4);
    options.model = model;
    options.mmproj = mmproj;
    Engine engine(options, [](float) { return true; });
    std::vector<Answer> answers(count);
    std::vector<std::string> found;
    for (int i = 0; i < count; i++) {
        engine.caption(request(i), answers[i].callback());
        if (!at_once) found.push_back(check::error_code([&] { answers[i].caption(); }));
    }
    for (int i = 0; at_once && i < count; i++) found.push_back(check::error_code([&] { answers[i].caption(); }));
    return found;
}

}   // namespace

TEST("engine: captions do not depend on company") {
    const int count = 12;
    std::vector<std::vector<llama_token>> alone;
    {
        const auto engine = demo::load(1);
        for (int i = 0; i < count; i++) {
            Answer answer;
            engine->caption(request(i), answer.callback());
            alone.push_back(answer.caption().tokens);
        }
    }
    const auto engine = demo::load(5);
    std::vector<Answer> answers(count);
    for (int i = count - 1; i >= 0; i--) engine->caption(request(i), answers[i].callback());
    for (int i = 0; i < count; i++) CHECK(answers[i].caption().tokens == alone[i]);
}

TEST("engine: counts, limits and first logits are reported") {
    const auto engine = demo::load(2);
    Answer answer;
    CaptionRequest asked = request(0, 3);
    asked.questions[0].first_logits = true;
    engine->caption(std::move(asked), answer.callback());
    const Caption caption = answer.caption();
    CHECK_EQUAL(caption.image_tokens, 65);
    CHECK_EQUAL(caption.tiles, 1);
    CHECK(caption.prompt_tokens > 4 && caption.prompt_tokens < 200);
    for (const double time : {caption.timings.preprocess, caption.timings.queued, caption.timings.vision,
                              caption.timings.prefill, caption.timings.decode}) {
        CHECK(time >= 0);
    }
    CHECK_EQUAL(caption.tokens.size(), size_t(3));
    CHECK(caption.ending == Ending::length);
    CHECK_EQUAL(caption.first_logits.size(), static_cast<size_t>(engine->language_model().vocabulary()));
    CHECK_EQUAL(std::max_element(caption.first_logits.begin(), caption.first_logits.end()) -
                    caption.first_logits.begin(),
                caption.tokens.front());
}

TEST("engine: sampling follows its seed") {
    // Each on an engine of its own: at this temperature a logit's last bit can choose another token.
    const auto tokens = [](uint32_t seed) {
        const auto engine = demo::load(1);
        Answer answer;
        CaptionRequest asked = request(1);
        asked.questions[0].temperature = 5;
        asked.questions[0].seed = seed;
        engine->caption(std::move(asked), answer.callback());
        return answer.caption().tokens;
    };
    const std::vector<llama_token> first = tokens(7);
    CHECK(first == tokens(7));
    CHECK(first != tokens(99));
}

TEST("engine: what cannot fit or makes no sense is refused with its reason") {
    const auto engine = demo::load(1);
    const auto refuse = [&](CaptionRequest asked) {
        Answer answer;
        return check::error_code([&] {
            engine->caption(std::move(asked), answer.callback());
            answer.caption();
        });
    };
    CHECK_EQUAL(refuse(request(0, 1024)), "context_overflow");
    CHECK_EQUAL(refuse(request(0, 0)), "usage");
    CaptionRequest none = request(0);
    none.images.pictures.clear();
    CHECK_EQUAL(refuse(none), "usage");
    CaptionRequest torn = request(0);
    torn.images.pictures[0].pixels.pop_back();
    CHECK_EQUAL(refuse(torn), "usage");
    CaptionRequest flat = request(0);
    flat.images.pictures[0] = {{}, {0, 0}};
    CHECK_EQUAL(refuse(flat), "usage");
    CHECK_EQUAL(refuse(request(0, 3)), "");
}

TEST("engine: automatic detail leaves tiles out where the context is short, and a bigger picture takes more") {
    const auto engine = demo::load(1);
    const auto ask = [&](Detail detail, int max_tokens) {
        CaptionRequest asked = request(0, max_tokens);
        asked.images.detail = detail;
        asked.images.pictures.assign(2, demo::disc(0.5, 0.5, 0.3, 220, 40, 40, 480));
        Answer answer;
        engine->caption(std::move(asked), answer.callback());
        return answer.caption();
    };
    const Caption full = ask(Detail::full, 2);
    CHECK(full.tiles > 2);
    CHECK_EQUAL(ask(Detail::automatic, 2).image_tokens, full.image_tokens);
    const int rest = engine->language_model().context() - full.image_tokens - full.prompt_tokens;
    const Caption less = ask(Detail::automatic, rest + 1);
    CHECK(less.image_tokens < full.image_tokens);
    CHECK_EQUAL(ask(Detail::overview, 2).tiles, 2);
}

TEST("engine: a cancelled request rejects, the others finish") {
    const auto engine = demo::load(2);
    std::vector<Answer> answers(6);
    std::vector<uint64_t> ids;
    for (Answer & answer : answers) ids.push_back(engine->caption(request(2, 200), answer.callback()));
    engine->cancel(ids[1]);
    engine->cancel(ids[5]);
    engine->cancel(123456);
    CHECK_EQUAL(check::error_code([&] { answers[1].caption(); }), "aborted");
    CHECK_EQUAL(check::error_code([&] { answers[5].caption(); }), "aborted");
    for (const int i : {0, 2, 3, 4}) CHECK(!answers[i].caption().tokens.empty());
}

TEST("engine: close drains, then refuses; twice is once") {
    const auto engine = demo::load(2);
    std::vector<Answer> answers(4);
    for (Answer & answer : answers) engine->caption(request(1), answer.callback());
    std::promise<void> closed, again;
    engine->close([&] { closed.set_value(); });
    closed.get_future().get();
    for (Answer & answer : answers) CHECK(!answer.caption().tokens.empty());
    CHECK_EQUAL(check::error_code([&] { engine->caption(request(0), [](Outcome<Captions>) {}); }), "closed");
    engine->close([&] { again.set_value(); });
    again.get_future().get();
}

TEST("engine: destroying it with work in flight cancels that work") {
    std::vector<Answer> answers(8);
    {
        const auto engine = demo::load(2);
        for (Answer & answer : answers) engine->caption(request(2, 300), answer.callback());
    }
    int aborted = 0;
    for (Answer & answer : answers) aborted += check::error_code([&] { answer.caption(); }) == "aborted" ? 1 : 0;
    CHECK(aborted >= 6);
}

TEST("engine: embeddings hold every image's features in order") {
    const auto engine = demo::load(1);
    const auto embed = [&](std::vector<Picture> pictures) {
        std::promise<Outcome<Embedding>> promise;
        engine->embed({std::move(pictures), Detail::overview},
                      [&](Outcome<Embedding> outcome) { promise.set_value(std::move(outcome)); });
        return std::get<Embedding>(promise.get_future().get());
    };
    const Picture a = demo::disc(0.3, 0.5, 0.2, 220, 40, 40);
    const Picture b = demo::disc(0.7, 0.4, 0.25, 40, 180, 60);
    const Embedding both = embed({a, b});
    CHECK_EQUAL(both.counts.size(), size_t(2));
    CHECK_EQUAL(both.data.size(), size_t(2 * 65 * both.width));
    const Embedding second = embed({b});
    for (size_t i = 0; i < second.data.size(); i++)
        CHECK(std::abs(second.data[i] - both.data[65 * both.width + i]) <= 1e-5f * (1 + std::abs(second.data[i])));
    CHECK_EQUAL(embed({}).data.size(), size_t(0));
}

TEST("engine: models that are no pair, swapped or missing are refused with a code") {
    const auto code = [](const char * model, const char * mmproj) {
        EngineOptions options = demo::options(1);
        options.model = model;
        options.mmproj = mmproj;
        return check::error_code([&] { Engine(options, [](float) { return true; }); });
    };
    CHECK_EQUAL(code(demo::mmproj, demo::model), "model_invalid");
    CHECK_EQUAL(code(demo::model, demo::model), "model_invalid");
    CHECK_EQUAL(code(demo::mmproj, demo::mmproj), "model_invalid");
    CHECK_EQUAL(code(demo::model, "models/demo/none.gguf"), "model_not_found");
    EngineOptions options = demo::options(1);
    CHECK_EQUAL(check::error_code([&] { Engine(options, [](float) { return false; }); }), "aborted");
}

TEST("engine: frames that repeat give the features they would give apart") {
    const auto engine = demo::load(1);
    const Picture still = demo::disc(0.4, 0.5, 0.2, 50, 80, 220);
    const Picture other = demo::disc(0.6, 0.5, 0.2, 50, 80, 220);
    std::promise<Outcome<Embedding>> promise;
    engine->embed({{still, other, still, still}, Detail::overview},
                  [&](Outcome<Embedding> outcome) { promise.set_value(std::move(outcome)); });
    const Embedding embedding = std::get<Embedding>(promise.get_future().get());
    const size_t image = 65 * embedding.width;
    CHECK_EQUAL(embedding.data.size(), 4 * image);
    CHECK(std::equal(embedding.data.begin(), embedding.data.begin() + image, embedding.data.begin() + 2 * image));
    CHECK(std::equal(embedding.data.begin(), embedding.data.begin() + image, embedding.data.begin() + 3 * image));
    CHECK(!std::equal(embedding.data.begin(), embedding.data.begin() + image, embedding.data.begin() + image));
}

TEST("engine: a slot that keeps the text before the images answers as a fresh one") {
    std::vector<llama_token> fresh;
    {
        const auto engine = demo::load(1);
        Answer answer;
        engine->caption(request(4), answer.callback());
        fresh = answer.caption().tokens;
    }
    const auto engine = demo::load(1);
    for (const int number : {0, 4, 1, 4}) {
        Answer answer;
        engine->caption(request(number), answer.callback());
        const Caption caption = answer.caption();
        if (number == 4) CHECK(caption.tokens == fresh);
    }
    Answer cancelled, after;   // cancelled in the middle of its prefill
    const uint64_t id = engine->caption(request(2, 200), cancelled.callback());
    engine->cancel(id);
    cancelled.future.get();
    engine->caption(request(4), after.callback());
    CHECK(after.caption().tokens == fresh);
}

TEST("engine: features and logits that are no numbers are an error, and a lost engine when nothing else comes") {
    // Of the last layers: within a model ggml's own assertions, which this build has on, see them first.
    const std::vector<std::pair<std::string, std::string>> damages = {
        {demo::mmproj, "mm.2.weight"}, {demo::model, "output_norm.weight"}, {demo::model, "output.weight"}};
    for (const auto & [file, tensor] : damages) {
        const DamagedFile damaged(file, tensor);
        const bool vision = file == demo::mmproj;
        const std::string model = vision ? demo::model : damaged.path;
        const std::string mmproj = vision ? damaged.path : demo::mmproj;
        const std::vector<std::string> apart = codes(model, mmproj, 4, false);
        CHECK(apart == (std::vector<std::string>{"engine_error", "engine_error", "engine_lost", "engine_lost"}));
        int lost = 0;
        for (const std::string & code : codes(model, mmproj, 6, true)) {
            CHECK(code == "engine_error" || code == "engine_lost");
            lost += code == "engine_lost";
        }
        CHECK_EQUAL(lost, 4);
    }
}

TEST("engine: questions behind one prefill are answered as each of them alone") {
    const std::vector<std::string> prompts = {"Describe this video.", "What colour is it?", "Tags:", ""};
    const auto asked = [&](int number, const std::vector<std::string> & wanted, bool sampled) {
        CaptionRequest made = request(number);
        const Question usual = made.questions[0];
        made.questions.clear();
        for (const std::string & prompt : wanted) {
            Question question = usual;
            question.prompt = prompt;
            question.temperature = sampled ? 0.8f : 0;
            question.seed = 3;
            question.first_logits = prompt.size() % 2 == 0;
            made.questions.push_back(question);
        }
        return made;
    };
    for (const bool sampled : {false, true}) {
        std::vector<std::vector<Caption>> alone(6);
        {
            const auto engine = demo::load(1);
            for (int number = 0; number < 6; number++) {
                for (const std::string & prompt : prompts) {
                    Answer answer;
                    engine->caption(asked(number, {prompt}, sampled), answer.callback());
                    alone[number].push_back(answer.caption());
                }
            }
        }
        const auto engine = demo::load(sampled ? 1 : 3);   // a sampled token may turn on a logit's last bit
        std::vector<Answer> answers(6);
        for (int number = 0; number < 6; number++) {
            engine->caption(asked(number, prompts, sampled), answers[number].callback());
        }
        for (int number = 0; number < 6; number++) {
            const Captions together = answers[number].captions();
            CHECK_EQUAL(together.size(), prompts.size());
            for (size_t i = 0; i < prompts.size(); i++) {
                const Caption caption = Answer::got<Caption>(together[i]);
                const Caption & other = alone[number][i];
                CHECK(caption.tokens == other.tokens);
                CHECK_EQUAL(caption.text, other.text);
                CHECK_EQUAL(caption.prompt_tokens, other.prompt_tokens);
                CHECK_EQUAL(caption.image_tokens, other.image_tokens);
                CHECK_EQUAL(caption.tiles, other.tiles);
                CHECK_EQUAL(caption.first_logits.size(), other.first_logits.size());
                CHECK_EQUAL(caption.timings.vision > 0, i == 0);
                CHECK(caption.timings.prefill >= 0 && caption.timings.decode >= 0);
            }
        }
    }
}

TEST("engine: a question that does not fit has an error of its own, wherever it stands") {
    const auto engine = demo::load(1);
    CaptionRequest asked = request(1);
    asked.questions.assign(3, asked.questions[0]);
    std::vector<llama_token> alone;
    {
        Answer answer;
        engine->caption(request(1), answer.callback());
        alone = answer.caption().tokens;
    }
    for (const size_t broken : {0, 1, 2}) {
        CaptionRequest one = asked;
        one.questions[broken].max_tokens = 1000;
        Answer answer;
        engine->caption(std::move(one), answer.callback());
        const Captions captions = answer.captions();
        for (size_t i = 0; i < 3; i++) {
            const std::string code = check::error_code([&] { Answer::got<Caption>(captions[i]); });
            CHECK_EQUAL(code, i == broken ? "context_overflow" : "");
            if (i != broken) CHECK(std::get<Caption>(captions[i]).tokens == alone);
        }
    }
    CaptionRequest none = asked;
    for (Question & question : none.questions) question.max_tokens = 1000;
    Answer answer;
    engine->caption(std::move(none), answer.callback());
    CHECK_EQUAL(check::error_code([&] { answer.captions(); }), "context_overflow");
    CaptionRequest empty = asked;
    empty.questions.clear();
    CHECK_EQUAL(check::error_code([&] { engine->caption(std::move(empty), [](Outcome<Captions>) {}); }), "usage");
}

TEST("engine: the detail is what leaves room for each question that has room at all") {
    const auto engine = demo::load(1);
    const auto tokens = [&](const std::vector<int> & answers) {
        CaptionRequest asked = request(0);
        asked.images.detail = Detail::automatic;
        asked.images.pictures.assign(2, demo::disc(0.5, 0.5, 0.3, 220, 40, 40, 480));
        const Question usual = asked.questions[0];
        asked.questions.clear();
        for (const int max_tokens : answers) {
            asked.questions.push_back(usual);
            asked.questions.back().max_tokens = max_tokens;
        }
        Answer answer;
        engine->caption(std::move(asked), answer.callback());
        return std::get<Caption>(answer.captions().at(0)).image_tokens;
    };
    const int full = tokens({2});
    const int less = tokens({600});
    CHECK(less < full);
    CHECK_EQUAL(tokens({2, 600}), less);
    CHECK_EQUAL(tokens({2, 1000}), full);   // which cannot be answered whatever the detail
}

TEST("engine: a request that is cancelled between its questions ends, and its stream serves others as before") {
    const auto engine = demo::load(1);
    Answer before;
    engine->caption(request(4), before.callback());
    const std::vector<llama_token> fresh = before.caption().tokens;
    for (int round = 0; round < 6; round++) {
        CaptionRequest asked = request(2, 40);
        for (Question & question : asked.questions) question.ignore_eos = true;
        asked.questions.assign(20, asked.questions[0]);
        Answer cancelled, after;
        const uint64_t id = engine->caption(std::move(asked), cancelled.callback());
        engine->caption(request(4), after.callback());
        std::this_thread::sleep_for(std::chrono::milliseconds(30 + 40 * round));
        engine->cancel(id);
        CHECK_EQUAL(check::error_code([&] { cancelled.captions(); }), "aborted");
        CHECK(after.caption().tokens == fresh);
    }
}
