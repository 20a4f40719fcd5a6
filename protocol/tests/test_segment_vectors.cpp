// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <cstring>

using namespace bandmate::test;
using namespace bandmate::protocol;

TEST_CASE ("Every segment vector is what its shape leads to", "[vectors]")
{
    const auto all = vectors ("segments.json");
    for (const auto& vector : all["described"])
    {
        CAPTURE (vector["name"].get<std::string>());
        const auto& s = vector["shape"];
        std::uint8_t nonce[16];
        std::memcpy (nonce, from_hex (vector["nonce"]).data(), sizeof nonce);
        const auto made =
            describe ({s["sample_rate"], s["channels"], s["frame_samples"]},
                      {s["event_slots"], s["audio_slots"], s["audio_slots"]}, s["creator_pid"], nonce);
        CHECK (to_hex (std::string (reinterpret_cast<const char*> (&made), sizeof made)) == vector["hex"]);

        auto header = from_hex (vector["hex"]);
        header.resize (header_bytes);
        const auto read = check_description (header.data(), made.total_bytes);
        CHECK (std::memcmp (&read, &made, sizeof made) == 0);
        CHECK (refusal ([&] { check_description (header.data(), made.total_bytes - 1); }) ==
               error_code::bad_segment);
    }
}

TEST_CASE ("Every damaged segment vector is refused with its code", "[vectors]")
{
    const auto all = vectors ("segments.json");
    auto usual = from_hex (all["described"][0]["hex"]);
    Description good;
    std::memcpy (&good, usual.data(), sizeof good);
    for (const auto& vector : all["refused"])
    {
        CAPTURE (vector["name"].get<std::string>());
        auto header = from_hex (vector["hex"]);
        header.resize (header_bytes);
        CHECK (refusal ([&] { check_description (header.data(), good.total_bytes); }) == vector["code"]);
    }
}
