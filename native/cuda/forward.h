#pragma once

// Functions of a library that is opened at run time, defined under their own names for those who call them.

// NVIDIA's headers make some names macros for later versions of the same function, such as cuMemCreate_v2: the name is
// expanded before it becomes a text.
#define VCAP_TEXT(name) #name

/**
 * Defines the function `name`, which passes its arguments on to the address that `find(name)` returns, or answers
 * `missing` where that is null. Arguments follow the list of parameters in parentheses.
 */
#define VCAP_FORWARD(find, missing, result, name, parameters, ...)                                                     \
    result name parameters {                                                                                           \
        using Function = result parameters;                                                                            \
        static Function * const function = reinterpret_cast<Function *>(find(VCAP_TEXT(name)));                        \
        return function != nullptr ? function(__VA_ARGS__) : missing;                                                  \
    }
