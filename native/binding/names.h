#pragma once

#include <string>
#include <vector>

#include "core/engine/request.h"
#include "core/error.h"
#include "core/vision/picture.h"

// What src/native/addon.ts calls the values of the core's enums.
namespace vcap {

const char * name_of(PoolMode mode);
const char * name_of(NewlinePlace place);
const char * name_of(Ending ending);

/** The one of `values` that has this name; `what` they are, for the message. Throws usage where none has. */
template <typename T>
T to_named(const std::string & name, const std::vector<T> & values, const std::string & what) {
    for (const T value : values) {
        if (name == name_of(value)) {
            return value;
        }
    }
    throw Error("usage", "'" + name + "' is no " + what);
}

}   // namespace vcap
