#include "binding/names.h"

namespace vcap {

const char * name_of(PoolMode mode) {
    switch (mode) {
        case PoolMode::max: return "max";
        case PoolMode::bilinear: return "bilinear";
        default: return "average";
    }
}

const char * name_of(NewlinePlace place) {
    switch (place) {
        case NewlinePlace::video: return "one_token";
        case NewlinePlace::frame: return "frame";
        case NewlinePlace::row: return "grid";
        default: return "no_token";
    }
}

const char * name_of(Ending ending) {
    switch (ending) {
        case Ending::length: return "length";
        case Ending::loop: return "loop";
        default: return "stop";
    }
}

}   // namespace vcap
