#include "check.h"

#include <future>
#include <random>

#include "core/language/repetition.h"
#include "demo_model.h"

using namespace vcap;

namespace {

using Tokens = std::vector<llama_token>;

Tokens repeated(const Tokens & passage, int times) {
    Tokens all;
    for (int i = 0; i < times; i++) all.insert(all.end(), passage.begin(), passage.end());
    return all;
}

Tokens operator+(Tokens a, const Tokens & b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/** Tokens from 1 on. */
Tokens passage(int length, int first = 1) {
    Tokens all;
    for (int i = 0; i < length; i++) all.push_back(first + i);
    return all;
}

/** Tokens after which a loop is seen; 0: none. */
int seen_after(const Tokens & tokens, RepetitionWatch & watch) {
    for (size_t i = 0; i < tokens.size(); i++)
        if (watch.add(tokens[i])) return static_cast<int>(i) + 1;
    return 0;
}

int seen_after(const Tokens & tokens) {
    RepetitionWatch watch;
    return seen_after(tokens, watch);
}

}   // namespace

TEST("repetition: a loop is seen at its third round, or where it is long enough") {
    CHECK_EQUAL(seen_after(repeated({7}, 100)), RepetitionWatch::MIN_TOKENS);
    CHECK_EQUAL(seen_after(repeated({7, 8}, 100)), RepetitionWatch::MIN_TOKENS);
    CHECK_EQUAL(seen_after(repeated(passage(10), 10)), 32);
    CHECK_EQUAL(seen_after(repeated(passage(11), 10)), 33);
    CHECK_EQUAL(seen_after(repeated(passage(40), 10)), 120);
    CHECK_EQUAL(seen_after(passage(25, 500) + repeated(passage(40), 10)), 25 + 120);
    const int longest = RepetitionWatch::MAX_PERIOD;
    CHECK_EQUAL(seen_after(repeated(passage(longest), 5)), 3 * longest);
    CHECK_EQUAL(seen_after(repeated(passage(longest + 1), 5)), 0);
}

TEST("repetition: what is said twice, drawn out a little, or with a change in each round is no loop") {
    CHECK_EQUAL(seen_after(passage(200)), 0);
    CHECK_EQUAL(seen_after(repeated({7}, 31) + passage(30)), 0);
    CHECK_EQUAL(seen_after(repeated(passage(60), 2) + passage(60, 100)), 0);
    CHECK_EQUAL(seen_after(repeated(passage(5), 6) + passage(60, 100)), 0);
    Tokens counted;   // "first … second … third …"
    for (int i = 0; i < 20; i++) counted = counted + passage(12) + Tokens{1000 + i};
    CHECK_EQUAL(seen_after(counted), 0);
    std::mt19937 random(1);
    Tokens chance;
    for (int i = 0; i < 20000; i++) chance.push_back(static_cast<llama_token>(random() % 3));
    CHECK_EQUAL(seen_after(chance), 0);
}

TEST("repetition: the first round ends where the passage was said once, however the loop is entered") {
    RepetitionWatch watch;
    CHECK_EQUAL(watch.period(), 0);
    seen_after(passage(25, 500) + repeated(passage(12), 10), watch);
    CHECK_EQUAL(watch.period(), 12);
    CHECK_EQUAL(watch.first_round_end(), 25 + 12);
    // The last five tokens of the passage stand before it: the loop begins with them.
    RepetitionWatch within;
    seen_after(passage(20, 500) + passage(5, 8) + repeated(passage(12), 10), within);
    CHECK_EQUAL(within.period(), 12);
    CHECK_EQUAL(within.first_round_end(), 20 + 12);
}

TEST("repetition: ends of sentences in several scripts") {
    for (const char * text :
         {"away.", "away. ", "away.\n", "What?", "Stop!\"", "away…", "走了。", "走了。」", "है।", "؟"})
        CHECK(ends_sentence(text));
    for (const char * text : {"", "away", "away,", "a. b", "走了", "、", "\""}) CHECK(!ends_sentence(text));
}

TEST("repetition: an engine ends an answer that loops, and no other") {
    // Greedy, the demo model says a caption; told to go on for ever it says more, which need not loop.
    const auto engine = demo::load(1);
    const auto ask = [&](bool stop_loops, bool ignore_eos) {
        CaptionRequest request;
        request.images = {{demo::disc(0.4, 0.5, 0.2, 220, 40, 40)}, Detail::overview};
        request.questions[0].prompt = "Describe this video.";
        request.questions[0].max_tokens = 300;
        request.questions[0].stop_loops = stop_loops;
        request.questions[0].ignore_eos = ignore_eos;
        std::promise<Outcome<Captions>> promise;
        engine->caption(std::move(request), [&](Outcome<Captions> outcome) { promise.set_value(std::move(outcome)); });
        return std::get<Caption>(std::get<Captions>(promise.get_future().get()).front());
    };
    const Caption stopped = ask(true, false);
    const Caption free = ask(false, false);
    CHECK(stopped.tokens == free.tokens && stopped.text == free.text);
    CHECK(stopped.ending == Ending::stop);
    CHECK_EQUAL(ask(true, true).tokens.size(), size_t(300));   // equal work was asked for
}
