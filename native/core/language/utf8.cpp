#include "core/language/utf8.h"

namespace vcap {
namespace {

/** What a character's first byte says of it: a row of table 3-7. Later bytes than the second are 80 to BF. */
struct LeadByte {
    size_t length;         // bytes of the whole character; 0 where no character begins with this byte
    uint8_t second_low;    // least second byte
    uint8_t second_high;   // greatest second byte
};

LeadByte lead_byte(uint8_t lead) {
    if (lead < 0x80) return {1, 0, 0};
    if (lead >= 0xC2 && lead <= 0xDF) return {2, 0x80, 0xBF};
    if (lead == 0xE0) return {3, 0xA0, 0xBF};
    if (lead == 0xED) return {3, 0x80, 0x9F};   // no surrogates
    if (lead >= 0xE1 && lead <= 0xEF) return {3, 0x80, 0xBF};
    if (lead == 0xF0) return {4, 0x90, 0xBF};
    if (lead >= 0xF1 && lead <= 0xF3) return {4, 0x80, 0xBF};
    if (lead == 0xF4) return {4, 0x80, 0x8F};   // up to U+10FFFF
    return {0, 0, 0};
}

}   // namespace

std::string valid_utf8(const std::string & bytes) {
    static const char replacement[] = "\xEF\xBF\xBD";
    std::string text;
    text.reserve(bytes.size());
    size_t i = 0;
    while (i < bytes.size()) {
        const LeadByte lead = lead_byte(static_cast<uint8_t>(bytes[i]));
        // Bytes from here on that fit one character.
        size_t good = lead.length > 0 ? 1 : 0;
        while (good > 0 && good < lead.length && i + good < bytes.size()) {
            const uint8_t byte = static_cast<uint8_t>(bytes[i + good]);
            const uint8_t low = good == 1 ? lead.second_low : 0x80;
            const uint8_t high = good == 1 ? lead.second_high : 0xBF;
            if (byte < low || byte > high) {
                break;
            }
            good++;
        }
        if (good > 0 && good == lead.length) {
            text.append(bytes, i, good);
            i += good;
        } else if (good > 0 && i + good == bytes.size()) {
            break;   // cut in the middle of a character
        } else {
            text += replacement;
            i += good > 0 ? good : 1;
        }
    }
    return text;
}

std::vector<uint32_t> code_points(const std::string & text) {
    std::vector<uint32_t> codes;
    for (const char character : text) {
        const uint8_t byte = static_cast<uint8_t>(character);
        if ((byte & 0xC0) == 0x80) {   // a later byte of a character: six bits
            codes.back() = (codes.back() << 6) | (byte & 0x3F);
        } else {
            codes.push_back(byte < 0x80 ? byte : byte & (0x7F >> lead_byte(byte).length));
        }
    }
    return codes;
}

}   // namespace vcap
