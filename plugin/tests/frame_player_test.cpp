// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"
#include "tone_session.hpp"

#include <bandmate/core/frame_player.hpp>

#include <cmath>
#include <random>
#include <vector>

using namespace bandmate;
using core::FramePlayer;

namespace
{

constexpr uint32_t frame_samples = 480;
constexpr uint32_t channels = 2;
constexpr uint32_t fade_samples = 48;

// The place of a sample can be read off the sample itself.
float sample_at (uint64_t position, uint32_t channel)
{
    return static_cast<float> (position % 65536) / 65536.0f + (channel == 0 ? 0.001f : 0.5f);
}

std::vector<float> frame_of (uint64_t index)
{
    std::vector<float> samples (frame_samples * channels);
    for (uint32_t i = 0; i < frame_samples; ++i)
        for (uint32_t c = 0; c < channels; ++c)
            samples[i * channels + c] = sample_at (index * frame_samples + i, c);
    return samples;
}

struct Fixture
{
    tests::TemporarySegment segment{{48000, channels, frame_samples}};
    protocol::AudioRing& ring = segment->audio_out();
    FramePlayer player;

    Fixture()
    {
        player.prepare (frame_samples, channels, fade_samples);
        player.restart (1, 0);
    }

    std::vector<float> read (uint32_t count, uint64_t complete = 1u << 20)
    {
        std::vector<float> out (std::size_t{count} * channels);
        for (uint32_t done = 0; done < count;)
            done += player.read (&ring, out.data() + std::size_t{done} * channels, count - done, complete);
        return out;
    }
};

} // namespace

TEST_CASE ("Frames play at their own place, in any piece")
{
    Fixture f;
    for (uint64_t k = 0; k < 20; ++k)
        REQUIRE (f.ring.write (1, k, frame_of (k).data()));
    uint64_t position = 0;
    for (const uint32_t count : {1u, 479u, 480u, 7u, 1000u, 3333u, 480u})
    {
        const auto out = f.read (count);
        for (std::size_t i = 0; i < out.size(); i += channels, ++position)
        {
            REQUIRE (out[i] == sample_at (position, 0));
            REQUIRE (out[i + 1] == sample_at (position, 1));
        }
    }
    CHECK (f.player.counts().underruns == 0);
}

TEST_CASE ("Lost and late frames never move the others")
{
    std::mt19937 random (7);
    Fixture f;
    constexpr uint64_t frames = 400;
    uint64_t next = 0; // frame to be written
    uint64_t lost = 0; // never written
    uint64_t delayed = 0;
    uint64_t checked = 0;
    std::vector<bool> is_lost (frames, false);
    for (uint64_t k = 0; k < frames; ++k)
        is_lost[k] = random() % 10 == 0;
    while (f.player.position() < frames * frame_samples)
    {
        // The writer is ahead or behind by chance; what is behind comes too late.
        const auto now = f.player.position() / frame_samples;
        const auto target = now + random() % 4;
        for (; next < std::min (target, frames); ++next)
        {
            if (is_lost[next])
                ++lost;
            else
                REQUIRE (f.ring.write (1, next, frame_of (next).data()));
            delayed += next < now ? 1 : 0;
        }
        const auto start = f.player.position();
        const auto out = f.read (1 + random() % 700);
        for (std::size_t i = 0; i < out.size() / channels; ++i)
        {
            // Either the true sample of this very position, or concealment, which is never louder than what
            // was.
            const auto expected = sample_at (start + i, 0);
            REQUIRE (std::abs (out[i * channels]) <= 2.01f);
            if (out[i * channels] != expected)
                continue;
            ++checked;
            REQUIRE (out[i * channels + 1] == sample_at (start + i, 1)); // right is where left is
        }
    }
    CHECK (lost > 10);
    CHECK (delayed > 10);
    CHECK (f.player.counts().underruns > lost / 2);
    CHECK (f.player.counts().late > 0);
    CHECK (checked > frames * frame_samples / 3); // sound came back after each gap, where it belongs
}

TEST_CASE ("A gap is faded on both sides: no step, then silence")
{
    Fixture f;
    std::vector<float> sine (frame_samples * channels);
    const auto fill = [&sine] (uint64_t k)
    {
        for (uint32_t i = 0; i < frame_samples; ++i)
            for (uint32_t c = 0; c < channels; ++c)
                sine[i * channels + c] = std::sin (static_cast<float> (k * frame_samples + i) * 0.05f);
        return sine.data();
    };
    f.ring.write (1, 0, fill (0));
    f.ring.write (1, 3, fill (3));
    f.ring.write (1, 4, fill (4));
    const auto out = f.read (5 * frame_samples);

    float before = 0.0f;
    for (std::size_t i = 0; i < out.size(); i += channels)
    {
        REQUIRE (std::abs (out[i] - before) < 0.1f); // the sine's own slope is 0.05
        before = out[i];
    }
    for (std::size_t i = frame_samples + fade_samples; i < 3 * frame_samples; ++i)
        REQUIRE (out[i * channels] == 0.0f);
    for (std::size_t i = 3 * frame_samples + fade_samples; i < 5 * frame_samples; ++i)
        REQUIRE (out[i * channels] == std::sin (static_cast<float> (i) * 0.05f));
    CHECK (f.player.counts().underruns == 2);
}

TEST_CASE ("Frames of another epoch, from the future or with broken samples do no harm")
{
    Fixture f;
    f.player.restart (5, 0);
    const auto good = frame_of (0);
    auto broken = frame_of (1);
    broken[10] = std::numeric_limits<float>::quiet_NaN();
    broken[11] = std::numeric_limits<float>::infinity();
    f.ring.write (4, 0, good.data()); // the epoch before
    f.ring.write (5, 9999, good.data());
    f.ring.write (6, 0, good.data());
    f.ring.write (5, 0, good.data());
    f.ring.write (5, 1, broken.data());
    const auto out = f.read (2 * frame_samples, 2);
    CHECK (out[0] == good[0]);
    CHECK (out[good.size() + 10] == 0.0f);
    CHECK (out[good.size() + 11] == 0.0f);
    CHECK (out[good.size() + 12] == broken[12]);
    CHECK (f.player.counts().bad == 2);
    CHECK (f.player.counts().underruns == 0);
}
