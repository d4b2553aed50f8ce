// llama.cpp's own way from pictures to a caption (libmtmd), for the comparison in docs/fidelity.md.
//
//   mtmd-peer MODEL MMPROJ BEFORE AFTER MAX_TOKENS FEATURES_OUT RGB WIDTH HEIGHT [RGB WIDTH HEIGHT …]
//
// BEFORE and AFTER are the prompt around the images. Writes the image features as the language
// model gets them, float32, to FEATURES_OUT, and one JSON line to stdout: the tokens of each
// image chunk in order, and the greedy caption's token ids.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "llama.h"
#include "mtmd-helper.h"
#include "mtmd.h"

namespace {

void require(bool condition, const char * what) {
    if (!condition) {
        std::fprintf(stderr, "mtmd-peer: %s failed\n", what);
        std::exit(1);
    }
}

std::string join(const std::vector<long> & values) {
    std::string text;
    for (const long value : values) {
        text += (text.empty() ? "" : ",") + std::to_string(value);
    }
    return "[" + text + "]";
}

// Quiet but for errors.
void log(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        std::fputs(text, stderr);
    }
}

}   // namespace

int main(int argc, char ** argv) {
    require(argc >= 10 && (argc - 7) % 3 == 0, "reading the arguments");
    llama_log_set(log, nullptr);
    mtmd_helper_log_set(log, nullptr);

    llama_model_params model_params = llama_model_default_params();
    model_params.n_gpu_layers = 0;
    model_params.use_extra_bufts = false;   // plain kernels: nothing but the vision path is to differ
    llama_model * model = llama_model_load_from_file(argv[1], model_params);
    require(model != nullptr, "loading the model");
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 8192;
    params.n_threads = params.n_threads_batch = 1;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    llama_context * context = llama_init_from_model(model, params);
    require(context != nullptr, "making the context");

    mtmd_context_params vision_params = mtmd_context_params_default();
    vision_params.use_gpu = false;
    vision_params.n_threads = 1;
    vision_params.warmup = false;
    vision_params.print_timings = false;
    vision_params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    mtmd_context * vision = mtmd_init_from_file(argv[2], model, vision_params);
    require(vision != nullptr, "loading the projector");

    std::string prompt = argv[3];
    std::vector<const mtmd_bitmap *> bitmaps;
    for (int i = 7; i < argc; i += 3) {
        std::ifstream file(argv[i], std::ios::binary);
        const std::vector<char> rgb((std::istreambuf_iterator<char>(file)), {});
        const int width = std::atoi(argv[i + 1]);
        const int height = std::atoi(argv[i + 2]);
        require(rgb.size() == 3ull * width * height, "reading a picture");
        bitmaps.push_back(mtmd_bitmap_init(width, height, reinterpret_cast<const unsigned char *>(rgb.data())));
        prompt += mtmd_default_marker();
    }
    prompt += argv[4];
    mtmd_input_chunks * chunks = mtmd_input_chunks_init();
    const mtmd_input_text text{prompt.c_str(), prompt.size(), true, true};
    require(mtmd_tokenize(vision, chunks, &text, bitmaps.data(), bitmaps.size()) == 0, "tokenising");

    std::ofstream features(argv[6], std::ios::binary);
    std::vector<long> counts;
    llama_pos past = 0;
    for (size_t i = 0; i < mtmd_input_chunks_size(chunks); i++) {
        const mtmd_input_chunk * chunk = mtmd_input_chunks_get(chunks, i);
        if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_IMAGE) {
            require(mtmd_encode_chunk(vision, chunk) == 0, "encoding");
            const size_t tokens = mtmd_input_chunk_get_n_tokens(chunk);
            features.write(reinterpret_cast<const char *>(mtmd_get_output_embd(vision)),
                           sizeof(float) * tokens * llama_model_n_embd_inp(model));
            counts.push_back(static_cast<long>(tokens));
        }
        const bool last = i + 1 == mtmd_input_chunks_size(chunks);
        require(mtmd_helper_eval_chunk_single(vision, context, chunk, past, 0, 512, last, &past) == 0,
                "decoding the prompt");
    }

    const llama_vocab * vocab = llama_model_get_vocab(model);
    std::vector<long> tokens;
    const int limit = std::atoi(argv[5]);
    while (static_cast<int>(tokens.size()) < limit) {
        const float * logits = llama_get_logits_ith(context, -1);
        llama_token token =
            static_cast<llama_token>(std::max_element(logits, logits + llama_vocab_n_tokens(vocab)) - logits);
        if (llama_vocab_is_eog(vocab, token)) {
            break;
        }
        tokens.push_back(token);
        llama_batch batch = llama_batch_get_one(&token, 1);
        require(llama_decode(context, batch) == 0, "decoding");
    }
    std::printf("{\"counts\":%s,\"tokens\":%s}\n", join(counts).c_str(), join(tokens).c_str());
    return 0;
}
