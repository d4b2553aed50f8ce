#include "check.h"
#include "core/language/utf8.h"

using vcap::valid_utf8;

TEST("utf8: well-formed text is unchanged") {
    const std::string text = "a \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\xAC";
    CHECK_EQUAL(valid_utf8(text), text);
    CHECK_EQUAL(valid_utf8(""), "");
}

TEST("utf8: a character cut off at the end is dropped") {
    CHECK_EQUAL(valid_utf8("film \xF0\x9F\x8E"), "film ");
    CHECK_EQUAL(valid_utf8("film \xE2\x82"), "film ");
    CHECK_EQUAL(valid_utf8("film \xC3"), "film ");
}

TEST("utf8: ill-formed bytes become U+FFFD, and what follows them is kept") {
    CHECK_EQUAL(valid_utf8("a\xFF"
                           "b"),
                "a\xEF\xBF\xBD"
                "b");
    CHECK_EQUAL(valid_utf8("a\xE2"
                           "b"),
                "a\xEF\xBF\xBD"
                "b");
    CHECK_EQUAL(valid_utf8("a\x80\x80"
                           "b"),
                "a\xEF\xBF\xBD\xEF\xBF\xBD"
                "b");
}

TEST("utf8: overlong forms, surrogates and code points beyond U+10FFFF are ill-formed") {
    CHECK(valid_utf8("\xC0\xAF.").find('\xC0') == std::string::npos);
    CHECK(valid_utf8("\xED\xA0\x80.").find('\xED') == std::string::npos);
    CHECK(valid_utf8("\xF4\x90\x80\x80.").find('\xF4') == std::string::npos);
}
