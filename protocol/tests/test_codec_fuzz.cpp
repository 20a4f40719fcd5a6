// SPDX-License-Identifier: Apache-2.0
// Bytes that nobody meant: each must be understood or refused with an Error, and nothing else may happen.
#include "support.hpp"

#include <bandmate/protocol/codec.hpp>

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

using namespace bandmate::test;
using namespace bandmate::protocol;

namespace
{

struct Outcome
{
    int understood = 0;
    int refused = 0;
};

// What is understood can be written again and then reads the same.
void decode_both (const std::string& bytes, Outcome& outcome)
{
    try
    {
        const auto again = encode (decode_request (bytes.data(), bytes.size()));
        REQUIRE (encode (decode_request (again.data(), again.size())) == again);
        ++outcome.understood;
    }
    catch (const Error&)
    {
        ++outcome.refused;
    }
    try
    {
        const auto again = encode (decode_server_message (bytes.data(), bytes.size()));
        REQUIRE (encode (decode_server_message (again.data(), again.size())) == again);
        ++outcome.understood;
    }
    catch (const Error&)
    {
        ++outcome.refused;
    }
}

} // namespace

TEST_CASE ("Random bytes are no messages", "[fuzz]")
{
    std::mt19937 random (1);
    Outcome outcome;
    for (int i = 0; i < 20000; ++i)
    {
        std::string bytes (random() % 200, '\0');
        for (auto& byte : bytes)
            byte = static_cast<char> (random());
        if (!bytes.empty() && i % 2 == 0)
            bytes[0] = static_cast<char> (0x80 | (random() % 16)); // a map at least
        decode_both (bytes, outcome);
    }
    CHECK (outcome.understood == 0);
    CHECK (outcome.refused == 40000);
}

TEST_CASE ("Damaged messages are understood or refused", "[fuzz]")
{
    std::mt19937 random (2);
    Outcome outcome;
    for (const auto& vector : vectors ("messages.json"))
    {
        const auto good = from_hex (vector["hex"]);
        for (int i = 0; i < 3000; ++i)
        {
            auto bytes = good;
            for (auto changes = 1 + random() % 4; changes > 0; --changes)
            {
                const auto at = random() % bytes.size();
                switch (random() % 3)
                {
                case 0:
                    bytes[at] = static_cast<char> (random());
                    break;
                case 1:
                    bytes.insert (at, 1, static_cast<char> (random()));
                    break;
                default:
                    bytes.erase (at, 1);
                    break;
                }
            }
            decode_both (bytes, outcome);
        }
    }
    CHECK (outcome.understood > 0);
    CHECK (outcome.refused > outcome.understood);
}

TEST_CASE ("Random and damaged headers are refused, unless nothing was damaged", "[fuzz]")
{
    std::mt19937 random (3);
    const std::uint8_t nonce[16] = {};
    const auto good = describe ({48000, 2, 1920}, {}, 1, nonce);
    std::vector<unsigned char> header (header_bytes);
    int accepted = 0;
    for (int i = 0; i < 100000; ++i)
    {
        if (i % 4 == 0)
        {
            for (auto& byte : header)
                byte = static_cast<unsigned char> (random());
            std::memcpy (header.data(), segment_magic, sizeof segment_magic);
        }
        else
        {
            std::memcpy (header.data(), &good, sizeof good);
            header[random() % sizeof good] = static_cast<unsigned char> (random());
        }
        try
        {
            const auto d = check_description (header.data(), good.total_bytes);
            ++accepted;
            // Only the process id, the nonce and the sample rate may differ: they move nothing.
            REQUIRE (d.total_bytes == good.total_bytes);
            REQUIRE (std::memcmp (&d.events, &good.events, 3 * sizeof (RingPlace)) == 0);
        }
        catch (const Error&)
        {
        }
    }
    CHECK (accepted > 0);
    CHECK (accepted < 50000);
}
