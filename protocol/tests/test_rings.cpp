// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <cmath>
#include <vector>

using namespace bandmate::test;
using namespace bandmate::protocol;

// What an audio thread calls cannot throw.
static_assert (noexcept (std::declval<EventRing&>().push (std::declval<const Event&>())));
static_assert (noexcept (std::declval<Published&>().publish ({})));
static_assert (
    noexcept (std::declval<AudioRing&>().front()) && noexcept (std::declval<AudioRing&>().release()));
static_assert (noexcept (std::declval<AudioRing&>().begin_write()));
static_assert (noexcept (std::declval<AudioRing&>().commit (0, 0)));
static_assert (noexcept (std::declval<Segment&>().events()) && noexcept (std::declval<Segment&>().plugin()));

namespace
{
std::vector<float> frame_of (const AudioRing& ring, float first)
{
    std::vector<float> samples (ring.floats());
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = first + static_cast<float> (i);
    return samples;
}
} // namespace

TEST_CASE ("Frames come out as they went in, in order, many times around the ring", "[audio]")
{
    Pair pair;
    auto& in = pair.server.audio_out();
    auto& out = pair.plugin.audio_out();
    CHECK_FALSE (out.front().has_value());
    for (std::uint64_t k = 0; k < 50; ++k)
    {
        const auto samples = frame_of (in, static_cast<float> (k));
        REQUIRE (in.write (7, k, samples.data(), frame_flag::gap));
        const auto frame = out.front();
        REQUIRE (frame.has_value());
        CHECK (frame->epoch == 7);
        CHECK (frame->index == k);
        CHECK (frame->flags == frame_flag::gap);
        CHECK (std::vector<float> (frame->samples, frame->samples + out.floats()) == samples);
        out.release();
    }
}

TEST_CASE ("A frame is not seen before it is committed", "[audio]")
{
    Pair pair;
    auto* target = pair.plugin.audio_in().begin_write();
    REQUIRE (target != nullptr);
    target[0] = 1.0f;
    CHECK_FALSE (pair.server.audio_in().front().has_value());
    CHECK (pair.plugin.audio_in().begin_write() == target); // the same slot until then
    pair.plugin.audio_in().commit (1, 0);
    REQUIRE (pair.server.audio_in().front().has_value());
    CHECK (pair.server.audio_in().front()->samples[0] == 1.0f);
}

TEST_CASE ("A full audio ring refuses, overwrites nothing and recovers", "[audio]")
{
    Pair pair;
    auto& in = pair.server.audio_out();
    auto& out = pair.plugin.audio_out();
    const auto samples = frame_of (in, 0.0f);
    for (std::uint64_t k = 0; k < 4; ++k)
        REQUIRE (in.write (1, k, samples.data()));
    CHECK_FALSE (in.write (1, 4, samples.data()));
    CHECK (in.free_slots() == 0);
    CHECK (out.front()->index == 0);
    out.release();
    CHECK (in.write (1, 4, samples.data()));
    CHECK (out.available() == 4);
}

TEST_CASE ("Samples that are not finite are seen", "[audio]")
{
    const float samples[] = {0.0f, 1.0f, std::nanf (""), HUGE_VALF};
    CHECK (is_finite (samples, 2));
    CHECK_FALSE (is_finite (samples, 3));
    CHECK_FALSE (is_finite (samples + 3, 1));
}

TEST_CASE ("Counts that cannot be make a ring broken for good", "[rings]")
{
    Pair pair;
    REQUIRE (pair.plugin.events().push (Event::note_on (0, 0, 60, 1.0)));
    auto& control = pair.plugin.header().events;

    SECTION ("a producer gone wild")
    {
        control.written.store (1000000, std::memory_order_release);
        CHECK (pair.server.events().available() == 0);
        CHECK (pair.server.is_broken());
        control.written.store (1, std::memory_order_release);
        Event event;
        CHECK (pair.server.events().read (100, &event, 1) == 0);
    }
    SECTION ("a consumer gone wild")
    {
        control.read.store (2, std::memory_order_release); // beyond what was ever written
        CHECK (pair.plugin.events().free_slots() == 0);
        CHECK (pair.plugin.is_broken());
        CHECK_FALSE (pair.plugin.events().push (Event::note_on (0, 0, 60, 1.0)));
    }
    SECTION ("at attach")
    {
        control.written.store (1000000, std::memory_order_release);
        CHECK (refusal ([&] { Segment::attach (pair.path.string()); }) == error_code::bad_segment);
    }
}

TEST_CASE ("A position is read whole, or not at all", "[published]")
{
    Pair pair;
    auto& in = pair.plugin.published();
    const auto& out = pair.server.published();
    REQUIRE (out.read().has_value());
    CHECK (out.read()->epoch == 0);
    in.publish ({3, 1920});
    CHECK (out.read()->epoch == 3);
    CHECK (out.read()->until == 1920);

    auto& sequence = pair.plugin.header().published.sequence;
    sequence.fetch_add (1); // a writer that died inside publish()
    CHECK_FALSE (out.read().has_value());
    in.publish ({4, 5}); // and one that goes on
    REQUIRE (out.read().has_value());
    CHECK (out.read()->until == 5);
}
