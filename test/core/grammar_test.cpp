#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <future>
#include <random>
#include <set>

#include "check.h"
#include "core/grammar/gbnf.h"
#include "core/grammar/matcher.h"
#include "core/language/constraint.h"
#include "core/language/utf8.h"
#include "core/language/vocabulary.h"
#include "core/log.h"
#include "demo_model.h"

using namespace vcap;

namespace {

/** Whether a text is of the grammar, from its first byte to its last. */
bool is_of(const std::string & grammar, const std::string & text) {
    Matcher matcher(parse_gbnf(grammar));
    return matcher.accept(text) && matcher.may_end();
}

/** Why a grammar is refused; empty where it is not. */
std::string refusal(const std::string & grammar) {
    try {
        parse_gbnf(grammar);
    } catch (const Error & error) {
        CHECK_EQUAL(error.code(), "usage");
        return error.what();
    }
    return "";
}

const char * const JSON = R"(root ::= object
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (member (", " member)*)? "}"
member ::= string ": " value
array ::= "[" (value (", " value){0,3})? "]"
string ::= "\"" char{0,12} "\""
char ::= [^"\\\x00-\x1F] | "\\" ["\\/bfnrt]
number ::= "-"? ("0" | [1-9] [0-9]{0,5}) ("." [0-9]{1,3})?
)";

/** A grammar of one to six rules, nearly always one that can be read. */
std::string random_grammar(std::mt19937 & random) {
    const int rules = 1 + static_cast<int>(random() % 6);
    const auto name = [](int rule) { return rule == 0 ? std::string("root") : "r" + std::to_string(rule); };
    std::function<std::string(int, int)> item = [&](int rule, int depth) -> std::string {
        switch (random() % (depth > 2 ? 4 : 7)) {
            case 0: return "\"" + std::string(1, static_cast<char>('a' + random() % 4)) + "é\"";
            case 1: return random() % 2 ? "[a-d]" : "[^a-cé]";
            case 2: return "\"{\"";
            case 3: return random() % 6 == 0 ? "." : "[éà漢x]";
            case 4:
                return rule + 1 < rules ? "\"x\" " + name(rule + 1 + static_cast<int>(random() % (rules - rule - 1)))
                                        : "\"y\"";
            case 5: return "(" + item(rule, depth + 1) + " | " + item(rule, depth + 1) + ")";
            default: {
                const char * times[] = {"*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}"};
                return item(rule, depth + 3) + times[random() % 7];
            }
        }
    };
    std::string text;
    for (int rule = 0; rule < rules; rule++) {
        text += name(rule) + " ::= ";
        for (size_t i = 0; i < 1 + random() % 3; i++)
            text += (i > 0 ? " | " : "") + item(rule, 0) + " " + item(rule, 0);
        if (random() % 3 == 0) text += " | \"(\" " + name(static_cast<int>(random() % rules)) + " \")\"";
        text += "\n";
    }
    return text;
}

struct ModelDeleter {
    void operator()(llama_model * model) const { llama_model_free(model); }
};

}   // namespace

TEST("grammar: a text is of a grammar or not, byte by byte") {
    CHECK(is_of("root ::= \"a\" [b-d]* (\"x\" | \"y\"){2}", "abcdxy"));
    CHECK(!is_of("root ::= \"a\" [b-d]* (\"x\" | \"y\"){2}", "abcdx"));
    CHECK(!is_of("root ::= \"a\" [b-d]* (\"x\" | \"y\"){2}", "aexy"));
    CHECK(is_of("root ::= \"(\" root \")\" | \"\"", "(((())))"));
    CHECK(is_of("# a comment\nroot ::=\n  one |\n  two # another\none ::= \"1\"\ntwo ::= ( \"2\"\n \"2\" )", "22"));
    CHECK(is_of("root ::= .", "漢") && is_of("root ::= [^a]", "\xF0\x9F\x8E\xAC") && !is_of("root ::= [^漢]", "漢"));
    CHECK(is_of("root ::= \"\\x41\\u00e9\\U0001F3AC\\n\"", "Aé\xF0\x9F\x8E\xAC\n"));
    CHECK(is_of("root ::= [a\\-\\]-]+", "a-]") && is_of("root ::= [-a]{2,}", "-a-a"));
    CHECK(is_of("root ::= \"a\"{3}", "aaa") && !is_of("root ::= \"ab\"{2,3}", "ab") &&
          is_of("root ::= \"ab\"{0,3}", ""));
    CHECK(is_of(JSON, R"({"a": [1, -2.5, "é\n"], "b": {}})") && !is_of(JSON, R"({"a": 01})"));
    CHECK(!is_of(JSON, R"({"a": "1234567890123"})") && is_of(JSON, R"({"a": "漢漢漢漢漢漢漢漢漢漢漢漢"})"));
}

TEST("grammar: no text of it is invalid UTF-8, and no character is begun that cannot be finished") {
    const std::shared_ptr<const Grammar> grammar = parse_gbnf("root ::= [^é]+ | \"漢\"");
    for (const char * bytes : {"\xFF", "\x80", "\xC0\x80", "\xC1", "\xE0\x80", "\xED\xA0", "\xF0\x80", "\xF4\x90",
                               "\xF8", "\xC3\xA9", "\xE6\x22"}) {
        CHECK(!Matcher(grammar).accept(bytes));
    }
    CHECK(!Matcher(grammar).accept(std::string(1, '\0')));
    Matcher matcher(grammar);
    CHECK(matcher.accept("\xE6\xBC") && !matcher.may_end());
    CHECK_EQUAL(matcher.state().bytes, 2);
    CHECK(!matcher.accept("a") && matcher.accept("\xA2") && matcher.may_end());
}

TEST("grammar: what is wrong with one is said in a sentence, and never ends the process") {
    const std::pair<const char *, const char *> wrong[] = {
        {"", "no rule root"},
        {"a ::= \"a\"", "no rule root"},
        {"root ::= a", "there is no rule a"},
        {"root ::= \"a\"\nroot ::= \"b\"", "line 2 cannot be read: a second rule root"},
        {"root ::= \"a", "ends within quotes"},
        {"root ::= [a", "ends within quotes"},
        {"root ::= []", "without characters"},
        {"root ::= [b-a]", "ends before it begins"},
        {"root ::= (\"a\"", "expected )"},
        {"root ::= \"a\")", "nothing can be meant"},
        {"root ::= *", "nothing stands before"},
        {"root = \"a\"", "expected ::="},
        {"root ::= \"\\q\"", "after a backslash"},
        {"root ::= \"\\u12\"", "hexadecimal"},
        {"root ::= \"\\UFFFFFFFF\"", "no such character"},
        {"root ::= \"\\uD800\"", "no text has"},
        {"root ::= \"a\"{3,2}", "less than its least"},
        {"root ::= \"a\"{99999999999999999999}", "more than 10000 times"},
        {"root ::= \"a\"{,3}", "number of times"},
        {"root ::= <|end|>", "tokens"},
        {"root ::= root \"a\" | \"b\"", "begin with itself"},
        {"root ::= a\na ::= b? a \"x\" | \"y\"\nb ::= c\nc ::= \"\" | \"z\"", "begin with itself"},
        {"root ::= (\"a\"?)*", "may be empty"},
        {"root ::= \"a\" root", "never ends"},
        {"root ::= (\"a\"{1000}){1000}", "characters"},
        {"root ::= (\"a\"?){9000} \"b\"", "too many ways"},
    };
    for (const auto & [text, why] : wrong) {
        if (refusal(text).find(why) == std::string::npos) {
            throw std::runtime_error(std::string(text) + ": " + refusal(text) + ", expected " + why);
        }
    }
    const auto times = [](const std::string & part, int count) {
        std::string all;
        for (int i = 0; i < count; i++) all += part;
        return all;
    };
    CHECK(refusal("root ::= " + times("(", 100'000)).find("groups within") != std::string::npos);
    CHECK(refusal("root ::= \"" + times("a", 1 << 20) + "\"").find("bytes") != std::string::npos);
    CHECK(refusal("root ::= " + times("\"a\"{9999} ", 100)).find("too large") != std::string::npos);
    // Every rule leads to the next one twice: 2^n ways to look at them one by one.
    std::string chain = "root ::= r0\n";
    for (int i = 0; i < 3000; i++)
        chain +=
            "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + " | \"a\" r" + std::to_string(i + 1) + "\n";
    CHECK_EQUAL(refusal(chain + "r3000 ::= \"b\""), "");
}

TEST("grammar: any text at all is read as a grammar or refused") {
    std::mt19937 random(7);
    const std::string parts[] = {
        "root", " ::= ", "a", "\"", "\\", "[",  "]", "^", "-", "(",    ")", "|",   "*", "+",
        "?",    "{",     "}", ",",  "3",  "\n", "#", "é", ".", "\xFF", " ", "x41", "<", "root ::= \"a\"\n"};
    int read = 0;
    for (int i = 0; i < 20'000; i++) {
        std::string text = random() % 2 ? "root ::= " : "";
        for (size_t length = random() % 14; length > 0; length--) text += parts[random() % std::size(parts)];
        read += refusal(text).empty();
    }
    CHECK(read > 300);   // 500 or so
}

TEST("grammar: a text cut anywhere is completed to one of the grammar, by the least") {
    CHECK_EQUAL(Matcher(parse_gbnf(JSON)).shortest_end(), "{}");
    const std::shared_ptr<const Grammar> grammar = parse_gbnf(JSON);
    const std::string text = R"({"a": [1, -2.5, {"漢é": true}], "b": "x\\y", "c": {"d": null}})";
    for (size_t cut = 0; cut <= text.size(); cut++) {
        Matcher matcher(grammar);
        CHECK(matcher.accept(text.substr(0, cut)));
        const std::string whole = text.substr(0, cut - matcher.state().bytes) + matcher.shortest_end();
        CHECK(is_of(JSON, whole));
        CHECK_EQUAL(valid_utf8(whole), whole);
    }
    std::mt19937 random(3);
    for (int i = 0; i < 300; i++) {
        const std::string rules = random_grammar(random);
        if (!refusal(rules).empty()) continue;
        Matcher matcher(parse_gbnf(rules));
        std::string sofar;
        for (int step = 0; step < 12 && !matcher.must_end(); step++) {
            std::vector<std::string> next;
            for (const char * one : {"a", "b", "c", "d", "é", "{", "x", "y", "(", ")", "漢", "à"})
                if (matcher.allows(one)) next.emplace_back(one);
            if (next.empty()) break;
            const std::string & one = next[random() % next.size()];
            CHECK(matcher.accept(one));
            sofar += one;
        }
        CHECK(is_of(rules, sofar + matcher.shortest_end()));
    }
}

TEST("grammar: the tokens allowed are those that llama.cpp's own grammar sampler allows") {
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    const LogCapture quiet;
    const std::unique_ptr<llama_model, ModelDeleter> model(llama_model_load_from_file(demo::model, params));
    const llama_vocab * vocab = llama_model_get_vocab(model.get());
    const GgufFile file(demo::model);
    const Tokenizer tokenizer(vocab, file, choose_chat_template(file, ""));
    const int vocabulary = llama_vocab_n_tokens(vocab);
    const TokenTexts texts(tokenizer, vocabulary);
    std::mt19937 random(11);
    int compared = 0;
    int ended = 0;
    for (int round = 0; round < 250; round++) {
        const std::string grammar = round % 5 == 0 ? JSON : random_grammar(random);
        if (!refusal(grammar).empty()) continue;
        const SamplerPtr theirs(llama_sampler_init_grammar(vocab, grammar.c_str(), "root"));
        if (!theirs) continue;   // it takes fewer grammars than we do
        Constraint ours(parse_gbnf(grammar), texts);
        for (int step = 0; step < 24; step++) {
            std::vector<llama_token_data> data;
            for (llama_token token = 0; token < vocabulary; token++) data.push_back({token, 0, 0});
            llama_token_data_array array{data.data(), data.size(), -1, false};
            llama_sampler_apply(theirs.get(), &array);
            const std::vector<llama_token> allowed = ours.allowed();
            const std::set<llama_token> set(allowed.begin(), allowed.end());
            for (const llama_token_data & candidate : data) {
                const bool is_ours = set.count(candidate.id) > 0;
                CHECK_EQUAL(is_ours, ours.allows(candidate.id));
                // Marks are text for theirs. And of a character's first bytes it says no where a set leaves out one
                // character that begins so, and yes where no character does.
                const bool is_theirs =
                    !std::isinf(candidate.logit) && (tokenizer.ends(candidate.id) || !texts.of(candidate.id).empty());
                const bool is_byte =
                    texts.of(candidate.id).size() == 1 && static_cast<unsigned char>(texts.of(candidate.id)[0]) >= 0x80;
                if (is_ours != is_theirs && !is_byte) {
                    throw std::runtime_error(grammar + ": " + std::string(texts.of(candidate.id)));
                }
                compared++;
            }
            std::vector<llama_token> texts_allowed;   // by both
            for (const llama_token token : allowed)
                if (!tokenizer.ends(token) && !std::isinf(data[token].logit)) texts_allowed.push_back(token);
            if (texts_allowed.empty()) {
                ended += ours.is_over();
                break;
            }
            const llama_token next = texts_allowed[random() % texts_allowed.size()];
            ours.accept(next);
            llama_sampler_accept(theirs.get(), next);
        }
    }
    CHECK(compared > 500'000 && ended > 20);
}

TEST("grammar: derivations without number cost neither time nor memory without end") {
    // 2^n ways to read n characters, and as many stacks.
    const std::shared_ptr<const Grammar> grammar =
        parse_gbnf("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"a\" root [b-c] | \"x\"");
    Matcher matcher(grammar);
    const auto begun = std::chrono::steady_clock::now();
    int taken = 0;
    while (taken < 400 && matcher.accept("a")) taken++;
    CHECK(taken >= 6);
    CHECK(is_of("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"a\" root [b-c] | \"x\"",
                std::string(taken, 'a') + matcher.shortest_end()));
    // A deep one with many stacks behind it: what is out of use is forgotten.
    Matcher deep(parse_gbnf("root ::= \"(\" root \")\" | \"x\""));
    for (int i = 0; i < 60'000; i++) CHECK(deep.accept("("));
    CHECK(deep.accept("x"));
    for (int i = 0; i < 60'000; i++) CHECK(deep.accept(")"));
    CHECK(deep.must_end());
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(60));
}

TEST("grammar: an engine's answers are of it, sampled, greedy and cut, several grammars at once") {
    const auto engine = demo::load(4);
    struct Asked {
        std::string grammar;
        std::promise<Outcome<Captions>> promise;
    };
    std::vector<std::unique_ptr<Asked>> all;
    for (int i = 0; i < 24; i++) {
        const char * grammars[] = {JSON, "root ::= \"A \" (\"red\" | \"blue\" | \"green\") \" disc.\"",
                                   "root ::= [0-9]{4,20}", "root ::= (\"漢\" | \"é\" | \"\\U0001F3AC\"){3,9}"};
        auto asked = std::make_unique<Asked>();
        asked->grammar = grammars[i % 4];
        CaptionRequest request;
        request.images = {{demo::disc(0.4, 0.5, 0.2, 220, 40, 40)}, Detail::overview};
        request.questions[0].prompt = "Describe this video.";
        request.questions[0].max_tokens = i % 3 == 0 ? 3 + i : 80;
        request.questions[0].temperature = i % 2 == 0 ? 1.0f : 0.0f;
        request.questions[0].seed = static_cast<uint32_t>(i);
        request.questions[0].stop_loops = true;
        request.questions[0].ignore_eos = i % 5 == 0;   // a grammar says when an answer ends
        request.questions[0].grammar = asked->grammar;
        Asked * one = asked.get();
        engine->caption(std::move(request), [one](Outcome<Captions> outcome) { one->promise.set_value(outcome); });
        all.push_back(std::move(asked));
    }
    int cut = 0;
    for (const std::unique_ptr<Asked> & asked : all) {
        const Caption caption = std::get<Caption>(std::get<Captions>(asked->promise.get_future().get()).front());
        if (!is_of(asked->grammar, caption.text)) throw std::runtime_error(asked->grammar + ": " + caption.text);
        cut += caption.ending != Ending::stop;
    }
    CHECK(cut > 0 && cut < 24);
    CaptionRequest request;
    request.images = {{demo::disc(0.4, 0.5, 0.2, 220, 40, 40)}, Detail::overview};
    request.questions[0].grammar = "root ::= nothing";
    std::promise<Outcome<Captions>> promise;
    engine->caption(std::move(request), [&](Outcome<Captions> outcome) { promise.set_value(outcome); });
    CHECK_EQUAL(std::get<Error>(promise.get_future().get()).code(), "usage");
}
