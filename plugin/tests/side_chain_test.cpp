// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"
#include "tone_session.hpp"

#include <bandmate/core/side_chain.hpp>

#include <cmath>
#include <vector>

using namespace bandmate;

namespace
{

const core::ModelFacts model{"tone", 48000, 1920, 2, 0, 0.0};

struct Fixture
{
    tests::TemporarySegment segment{{48000, 2, 1920}, {1024, 4, 4}};
    core::SideChain side_chain;
    std::vector<float> left;
    std::vector<protocol::FrameView> frames;
    std::vector<float> heard; // of the left channel, in order

    explicit Fixture (double host_rate)
    {
        side_chain.prepare (model, host_rate, 512);
        side_chain.restart (3);
    }

    void read()
    {
        auto& ring = segment->audio_in();
        while (const auto frame = ring.front())
        {
            frames.push_back (*frame);
            for (uint32_t i = 0; i < model.frame_samples; ++i)
                heard.push_back (frame->samples[i * model.channels]);
            ring.release();
        }
    }
};

} // namespace

TEST_CASE ("The side chain arrives on the model's grid, at every rate")
{
    for (const auto rate : {48000.0, 44100.0, 96000.0})
    {
        Fixture f (rate);
        const auto place = static_cast<std::size_t> (rate / 5.0);
        std::vector<float> in (static_cast<std::size_t> (rate), 0.0f);
        for (std::size_t i = 0; i < in.size(); ++i)
            in[i] = static_cast<float> (std::exp (
                -0.5 * std::pow ((static_cast<double> (i) - static_cast<double> (place)) / 20.0, 2.0)));
        for (std::size_t start = 0; start + 512 <= in.size(); start += 512)
        {
            f.side_chain.write (f.segment->audio_in(), in.data() + start, nullptr, 512);
            f.read();
        }
        REQUIRE (f.frames.size() >= 24);
        for (std::size_t k = 0; k < f.frames.size(); ++k)
        {
            CHECK (f.frames[k].index == k);
            CHECK (f.frames[k].epoch == 3);
        }
        const auto peak = std::max_element (f.heard.begin(), f.heard.end()) - f.heard.begin();
        CAPTURE (rate);
        CHECK (std::abs (peak - 9600) <= 1);
        CHECK (*std::max_element (f.heard.begin(), f.heard.end()) > 0.98f);
    }
}

TEST_CASE ("A full ring leaves frames out, and the next one says so")
{
    Fixture f (48000.0);
    std::vector<float> in (512);
    for (int i = 0; i < 30; ++i)
        f.side_chain.write (f.segment->audio_in(), in.data(), in.data(), 512); // eight frames, room for four
    f.read();
    for (int i = 0; i < 8; ++i)
        f.side_chain.write (f.segment->audio_in(), in.data(), in.data(), 512);
    f.read();
    REQUIRE (f.frames.size() >= 5);
    CHECK (f.frames[3].index == 3);
    CHECK (f.frames[3].flags == 0);
    CHECK (f.frames[4].index == 8);
    CHECK (f.frames[4].flags == protocol::frame_flag::gap);
}
