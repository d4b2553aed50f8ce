// Language models with something wrong in them, loaded as the engine loads them. VCAP_FUZZ_MODELS sets how many,
// VCAP_FUZZ_SEED which, and VCAP_FUZZ_FIRST where to begin: the round that a crash or a hang names.
#include "check.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <unistd.h>

#include "core/language/language_model.h"
#include "core/language/model_check.h"
#include "core/language/model_parts.h"
#include "random_model.h"

using namespace vcap;

#ifdef VCAP_SANITIZE
extern "C" void __sanitizer_set_death_callback(void (*callback)());
#endif

namespace {

// Seconds that one model may take.
constexpr unsigned PATIENCE = 120;

char where[128];   // "seed S, round R", for a handler of signals to print

void say_where() {
    const ssize_t written = write(STDERR_FILENO, where, std::strlen(where));
    (void)written;
}

void on_signal(int number) {
    say_where();
    if (number == SIGALRM) _exit(3);
    std::signal(number, SIG_DFL);
    raise(number);
}

unsigned long setting(const char * name, unsigned long otherwise) {
    const char * value = std::getenv(name);
    return value != nullptr ? std::strtoul(value, nullptr, 10) : otherwise;
}

/** The rows of a prompt and of two tokens after it. */
void caption(LanguageModel & model, const std::string & question) {
    const PromptTokens prompt = model.tokenizer().prompt(question);
    std::vector<llama_token> tokens = prompt.before;
    tokens.insert(tokens.end(), prompt.after.begin(), prompt.after.end());
    tokens.resize(std::min<size_t>(tokens.size(), 40));
    if (tokens.empty()) return;
    Batch batch(model.batch_capacity(), model.width());
    int position = 0;
    for (int step = 0; step < 3; step++) {
        batch.clear();
        for (size_t i = 0; i < tokens.size(); i++) {
            model.embeddings().copy_row(tokens[i], batch.add(0, position++, i + 1 == tokens.size()));
        }
        model.decode(batch);
        const float * logits = model.output(static_cast<int>(tokens.size()) - 1, 0).logits;
        const auto next = static_cast<llama_token>(std::max_element(logits, logits + model.vocabulary()) - logits);
        model.tokenizer().piece(next);
        model.tokenizer().ends(next);
        tokens = {next};
    }
}

/** The code of the error that `body` throws; empty if it throws none. VCAP_FUZZ_SHOW prints the messages. */
std::string error_code(const std::function<void()> & body) {
    try {
        body();
    } catch (const Error & error) {
        if (std::getenv("VCAP_FUZZ_SHOW") != nullptr) std::printf("%s: %s\n", error.code().c_str(), error.what());
        return error.code();
    }
    return "";
}

/** Loads the file and captions with it. The code of the error; empty where there is none. */
std::string try_model(const std::string & path, std::mt19937 & random) {
    using random_model::pick;
    return error_code([&] {
        const CpuThreads threads(1);
        const std::vector<std::shared_ptr<const GgufFile>> parts = open_model_files(path);
        check_language_model(parts);
        LanguageModelOptions options;
        options.sequences = 2;
        options.context = 256;
        options.kv_type = pick<ggml_type>(random, {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0});
        options.map = random() % 2 == 0;
        options.chat = choose_chat_template(*parts.front(), pick<const char *>(random, {"llava_v1", "chatml_direct"}));
        LanguageModel model(parts, options, threads, [](float) { return true; });
        const std::string question =
            random() % 16 == 0
                ? std::string(5000, pick<char>(random, {'a', ' ', '.', '1', '\n'}))
                : pick<const char *>(random,
                                     {"the hat\n\n the  \t1234 b\xc3\xa9\xe2\x96\x81\xf0\x9f\x98\x80", "a", ""});
        caption(model, question);
    });
}

/** Names for a model in one file and in two, and what is written there; deleted with the object. */
struct Scratch {
    ~Scratch() {
        for (const std::string & path : {whole, first, second}) unlink(path.c_str());
    }
    static void write(const std::string & path, const std::string & bytes) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    }
    std::string base = "/tmp/vcap-model-fuzz-" + std::to_string(getpid());
    std::string whole = base + ".gguf";
    std::string first = base + "-00001-of-00002.gguf";
    std::string second = base + "-00002-of-00002.gguf";
};

/** Writes a random model, most often with something wrong, and returns its path. */
std::string write_model(const Scratch & scratch, std::mt19937 & random) {
    using random_model::below;
    gguf_bytes::File file = random_model::make(random);
    const bool in_parts = below(random, 8) == 0;
    gguf_bytes::File rest = in_parts ? random_model::split(file, random) : gguf_bytes::File();
    const uint64_t edits = below(random, 4);
    for (uint64_t edit = 0; edit < edits; edit++) {
        random_model::mutate(in_parts && below(random, 2) == 0 ? rest : file, random);
    }
    std::string bytes = file.bytes();
    if (below(random, 8) == 0) random_model::mutate_bytes(bytes, file.header().size(), random);
    Scratch::write(in_parts ? scratch.first : scratch.whole, bytes);
    if (in_parts) Scratch::write(scratch.second, rest.bytes());
    return in_parts ? scratch.first : scratch.whole;
}

}   // namespace

TEST("models: language models with anything wrong are refused or run, and never end the process") {
    const unsigned long rounds = setting("VCAP_FUZZ_MODELS", 1000);
    const unsigned long seed = setting("VCAP_FUZZ_SEED", 1);
    const unsigned long first = setting("VCAP_FUZZ_FIRST", 0);
    for (const int number : {SIGABRT, SIGALRM}) std::signal(number, on_signal);
#ifdef VCAP_SANITIZE
    __sanitizer_set_death_callback(say_where);
#endif
    const Scratch scratch;
    unsigned long ran = 0;
    unsigned long refused = 0;
    for (unsigned long round = first; round < first + rounds; round++) {
        std::snprintf(where, sizeof(where), "\nmodels: seed %lu, round %lu\n", seed, round);
        alarm(PATIENCE);
        std::seed_seq sequence{seed, round};
        std::mt19937 random(sequence);
        const std::string code = try_model(write_model(scratch, random), random);
        if (code.empty()) ran++;
        if (code == "model_invalid") refused++;
        if ((round + 1) % 10000 == 0) std::fprintf(stderr, "models: round %lu\n", round + 1);
    }
    alarm(0);
    std::printf("models: of %lu %lu ran and %lu were refused\n", rounds, ran, refused);
    CHECK(rounds < 100 || (ran > rounds / 10 && refused > rounds / 4));
    for (const int number : {SIGABRT, SIGALRM}) std::signal(number, SIG_DFL);
}
