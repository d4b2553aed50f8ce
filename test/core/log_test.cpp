#include "check.h"

#include <cstdio>
#include <fstream>
#include <iterator>

#include <unistd.h>

#include "core/engine/engine.h"
#include "core/log.h"
#include "demo_model.h"
#include "gguf.h"

using namespace vcap;

TEST("log: the cause is the first error, cleaned of functions and phrases; warnings are kept once") {
    LogCapture log;
    log.add_warning("load: missing pre-tokenizer type, using: 'default'\n");
    log.add_warning("load:                                             \n");
    log.add_warning("load: missing pre-tokenizer type, using: 'default'\n");
    log.add_error("llama_model_load: error loading model vocabulary: unknown pre-tokenizer type: 'x'\n");
    log.add_error("llama_model_load_from_file_impl: failed to load model\n");
    CHECK_EQUAL(log.cause(), "unknown pre-tokenizer type: 'x'");
    CHECK_EQUAL(log.reason(), " (unknown pre-tokenizer type: 'x')");
    CHECK_EQUAL(log.warnings().size(), size_t(1));
    CHECK_EQUAL(log.warnings().front(), "missing pre-tokenizer type, using: 'default'");
}

TEST("log: ggml's lines reach the youngest capture of their thread") {
    install_log();
    const std::string path = "/tmp/vcap-core-log-" + std::to_string(getpid());
    std::ofstream(path) << "no model at all, but long enough for a header";
    const LogCapture outer;
    {
        const LogCapture inner;
        CHECK(gguf_init_from_file(path.c_str(), {true, nullptr}) == nullptr);
        CHECK(inner.cause().find("invalid magic characters") == 0);
    }
    CHECK(outer.cause().empty());
    CHECK(gguf_init_from_file(path.c_str(), {true, nullptr}) == nullptr);
    CHECK(!outer.cause().empty());
    unlink(path.c_str());
}

TEST("log: what llama.cpp warns of in loading is the model's to tell") {
    // The demo's model with <|im_end|> typed as ordinary text, which llama.cpp mends and warns of.
    std::ifstream file(demo::model, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const std::string key = "tokenizer.ggml.token_type";
    bytes[bytes.find(key) + key.size() + 16 + 4 * 7] = 1;
    EngineOptions options = demo::options(1);
    options.model = "/tmp/vcap-core-log-" + std::to_string(getpid()) + ".gguf";
    std::ofstream(options.model, std::ios::binary) << bytes;
    const Engine engine(options, [](float) { return true; });
    unlink(options.model.c_str());
    std::string all;
    for (const std::string & warning : engine.language_model().warnings()) all += warning + "\n";
    CHECK(all.find("'<|im_end|>' was not control-type") != std::string::npos);
}
