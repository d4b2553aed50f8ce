#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/vision/picture.h"
#include "llama.h"

namespace vcap {

/** Pictures of one prompt, in order. */
struct ImageRequest {
    std::vector<Picture> pictures;
    Detail detail = Detail::automatic;
    Pooling pooling = {};   // where it pools, the pictures are frames of one video
};

/** What is asked about the images, and how it is answered. */
struct Question {
    std::string prompt;   // without its chat template
    int max_tokens = 300;
    float temperature = 0;   // 0: the likeliest token each time
    float top_p = 1;
    uint32_t seed = 0;
    bool ignore_eos = false;     // go on to max_tokens whatever the model says, and however often
    bool stop_loops = false;     // end an answer that says one passage over and over
    std::string grammar;         // in GBNF, to which the answer is held; empty: none
    bool first_logits = false;   // return the logits of the first generated position
};

/** Questions about the same images, each answered as if it were the only one. */
struct CaptionRequest {
    ImageRequest images;
    std::vector<Question> questions = std::vector<Question>(1);
};

/** Milliseconds of each step. What is done once for all questions of a request is in the first one's caption alone. */
struct Timings {
    double preprocess = 0;   // tokenising the prompt, choosing the detail, cutting the tiles
    double queued = 0;       // waiting for a preparing thread and for the tower
    double vision = 0;       // from the tower's first tile to its last
    double prefill = 0;      // from there, or the last answer, to the first logits; the wait for a KV stream included
    double decode = 0;       // the rest of the caption
};

/** What ended a caption. */
enum class Ending {
    stop,     // the model
    length,   // max_tokens
    loop,     // it had begun to say one passage over and over
};

struct Caption {
    std::string text;                  // valid UTF-8; a whole text of the grammar, where there is one, if cut as well
    std::vector<llama_token> tokens;   // without the one that ended it, and a loop's later rounds
    Ending ending = Ending::stop;
    int prompt_tokens = 0;   // text tokens of the templated prompt
    int image_tokens = 0;
    int tiles = 0;                     // tiles of all images, overviews included
    int frame_pool = 1;                // how a video's frames were pooled; 1: they were not
    std::vector<float> first_logits;   // [vocabulary], where asked for
    Timings timings;
};

/** Packed features of several images, one after the other: [tokens, width]. */
struct Embedding {
    std::vector<float> data;
    std::vector<int> counts;   // tokens of each image
    int width = 0;             // numbers of one feature
};

/** What a request comes to: a result, or why there is none. */
template <typename T>
using Outcome = std::variant<T, Error>;

/** Of each question its caption, or why that question has none. */
using Captions = std::vector<Outcome<Caption>>;

}   // namespace vcap
