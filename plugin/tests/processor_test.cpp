// SPDX-License-Identifier: GPL-3.0-or-later
// The processor that ships, with a real segment and server, watched by the audio guard.
#include "catch.hpp"
#include "host_fixture.hpp"

#include <audio_guard.hpp>

#include <cmath>
#include <random>

using namespace bandmate;
using plugin::Processor;
using tests::Host;
using tests::ServerFixture;
using tests::wait_for;

namespace
{

bandmate_audio_guard_counts guard_counts()
{
    bandmate_audio_guard_counts counts;
    bandmate_audio_guard_read (&counts);
    return counts;
}

void check_clean (const bandmate_audio_guard_counts& counts)
{
    CAPTURE (counts.last_place, counts.last_system_call);
    CHECK (counts.allocations == 0);
    CHECK (counts.locks == 0);
    CHECK (counts.system_calls == 0);
    CHECK (counts.watches_system_calls == 1);
}

juce::RangedAudioParameter& parameter (Host& host, const juce::String& id)
{
    return host.parameter (id);
}

} // namespace

TEST_CASE ("Constructing starts nothing")
{
    ServerFixture server;
    juce::ScopedJuceInitialiser_GUI juce;
    for (int i = 0; i < 3; ++i)
    {
        const Processor processor;
        CHECK (processor.link_status().phase == link::LinkPhase::idle);
    }
    CHECK_FALSE (link::find_server (server.runtime()));
}

TEST_CASE ("Live blocks neither allocate, lock nor call the system, whatever happens")
{
    for (const auto rate : {48000.0, 44100.0, 96000.0})
    {
        ServerFixture server;
        Host host (rate, 256);
        REQUIRE (host.becomes_ready());
        std::mt19937 random (3);
        bandmate_audio_guard_reset();
        for (int i = 0; i < 3000; ++i)
        {
            const int sizes[] = {0, 1, 17, 255, 256, 257, 1000, 4096};
            const int size = sizes[random() % std::size (sizes)];
            for (int n = 0; n < 4 && size > 0; ++n)
                host.midi.addEvent (juce::MidiMessage (static_cast<int> (0x80 + random() % 0x70),
                                                       static_cast<int> (random() % 128),
                                                       static_cast<int> (random() % 128)),
                                    static_cast<int> (random() % static_cast<unsigned> (size)));
            const uint8_t long_message[] = {0xf0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xf7};
            host.midi.addEvent (long_message, sizeof long_message, 0);
            if (i % 10 == 0)
                for (auto* p : host.processor.getParameters())
                    p->setValue (static_cast<float> (random() % 1000) / 1000.0f);
            host.playhead.is_playing = i % 97 < 50;
            if (i % 500 == 0)
                host.processor.reset();
            if (i == 2000)
                CHECK (host.processor.stream_figures().epoch > 3);
            if (i > 2000 && i % 200 == 50)
                host.processor.set_model (i % 400 == 50 ? "soft tone" : "tone");
            if (i == 1000)
                server.kill_server(); // the link finds out, takes the segment away and brings a new one, all
                                      // while blocks go on
            if (i > 1000 && i % 200 == 0)
                host.becomes_ready();
            juce::AudioBuffer<float> buffer (2, size);
            host.process (buffer);
        }
        check_clean (guard_counts());
        CHECK (guard_counts().blocks == 3000);
        CHECK (guard_counts().waits == 0);
    }
}

TEST_CASE ("A note comes out at its sample plus the reported latency")
{
    ServerFixture server;
    Host host (48000.0, 512);
    host.processor.setNonRealtime (true);
    bandmate_audio_guard_reset();
    host.midi.addEvent (juce::MidiMessage::noteOn (1, 60, juce::uint8 (127)), 100);
    const auto out = host.render (20480, 512);
    const auto latency = host.processor.getLatencySamples();
    REQUIRE (latency > 1920);
    CHECK (out[static_cast<size_t> (100 + latency)] == 1.0f);
    CHECK (std::count (out.begin(), out.end(), 0.0f) == static_cast<long> (out.size()) - 1);
    check_clean (guard_counts()); // it waited, by sleeping only
    CHECK (guard_counts().waits > 0);
}

TEST_CASE ("A block larger than prepared is played in parts")
{
    ServerFixture server;
    Host host (48000.0, 64);
    host.processor.setNonRealtime (true);
    host.midi.addEvent (juce::MidiMessage::noteOn (1, 60, juce::uint8 (127)), 3000);
    const auto out = host.render (16384, 8192);
    CHECK (out[static_cast<size_t> (3000 + host.processor.getLatencySamples())] == 1.0f);
}

TEST_CASE ("Offline, one block may hold more frames than the ring")
{
    ServerFixture server;
    constexpr int size = 262144; // 136 frames; the ring has room for 64
    Host host (48000.0, size);
    host.processor.setNonRealtime (true);
    host.midi.addEvent (juce::MidiMessage::noteOn (1, 60, juce::uint8 (127)), 200001);
    const auto out = host.render (2 * size, size);
    const auto latency = static_cast<size_t> (host.processor.getLatencySamples());
    CHECK (out[200001 + latency] == 1.0f);
    CHECK (std::count (out.begin(), out.end(), 0.0f) == static_cast<long> (out.size()) - 1);
    CHECK (host.processor.stream_figures().underruns == 0);
}

TEST_CASE ("Latency stays while it plays, and the session stays over prepare, release and reset")
{
    ServerFixture server;
    Host host (48000.0, 512);
    REQUIRE (host.becomes_ready());
    const auto pid = link::find_server (server.runtime())->pid;
    const auto latency = host.processor.getLatencySamples();
    for (int i = 0; i < 20; ++i)
    {
        host.render (1024, 512);
        host.processor.releaseResources();
        host.prepare (48000.0, 512);
        host.processor.reset();
        CHECK (host.processor.getLatencySamples() == latency);
        CHECK (host.processor.link_status().prompts_in_force);
    }
    host.prepare (48000.0, 1024);
    CHECK (host.processor.getLatencySamples() == latency + 512);
    CHECK (link::find_server (server.runtime())->pid == pid);
}

TEST_CASE ("Volume and mute act without a step")
{
    ServerFixture server;
    Host host;
    host.processor.setNonRealtime (true);
    std::vector<float> out;
    for (int block = 0; block < 40; ++block)
    {
        // A note in each sample makes a steady level: any step is the gain's own.
        for (int i = 0; i < 512; ++i)
            host.midi.addEvent (juce::MidiMessage::noteOn (1, 60, juce::uint8 (127)), i);
        if (block == 20)
            parameter (host, "volume")
                .setValueNotifyingHost (parameter (host, "volume").convertTo0to1 (-6.0f));
        if (block == 30)
            parameter (host, "mute").setValueNotifyingHost (1.0f);
        const auto part = host.render (512, 512);
        out.insert (out.end(), part.begin(), part.end());
    }
    const auto start = static_cast<size_t> (host.processor.getLatencySamples()) + 1;
    for (size_t i = start; i < out.size(); ++i)
        REQUIRE (std::abs (out[i] - out[i - 1]) < 0.002f);
    CHECK (out[20 * 512 - 1] == 1.0f);
    CHECK (std::abs (out[30 * 512 - 1] - std::pow (10.0, -6.0 / 20.0)) < 1e-4);
    CHECK (out.back() == 0.0f);
}

TEST_CASE ("State goes round, prompts and an unknown model included")
{
    ServerFixture server;
    juce::MemoryBlock block;
    {
        Host host;
        plugin::SessionState session;
        session.model = "not installed here";
        session.prompts = {"Klavier, weich", "", "<&\"'> 🎷", "", "", "six"};
        host.processor.set_session (session);
        parameter (host, "temperature").setValueNotifyingHost (0.75f);
        parameter (host, "seed").setValueNotifyingHost (parameter (host, "seed").convertTo0to1 (12345.0f));
        host.processor.getStateInformation (block);
    }
    Host host;
    host.processor.setStateInformation (block.getData(), static_cast<int> (block.getSize()));
    const auto session = host.processor.session();
    CHECK (session.model == "not installed here");
    CHECK (session.prompts[2] == "<&\"'> 🎷");
    CHECK (session.prompts[5] == "six");
    CHECK (session.prompts[1].empty());
    CHECK (parameter (host, "temperature").getValue() == 0.75f);
    CHECK (parameter (host, "seed").convertFrom0to1 (parameter (host, "seed").getValue()) == 12345.0f);
    REQUIRE (wait_for ([&host] { return host.processor.link_status().phase == link::LinkPhase::failed; }));
    CHECK (host.processor.link_status().problem.find ("not installed here") != std::string::npos);
    juce::MemoryBlock again;
    host.processor.getStateInformation (again);
    CHECK (again == block);
}

TEST_CASE ("State that is none changes nothing")
{
    ServerFixture server;
    Host host;
    juce::MemoryBlock before, after;
    host.processor.getStateInformation (before);
    std::mt19937 random (1);
    for (int size = 0; size < 300; ++size)
    {
        std::vector<char> bytes (static_cast<size_t> (size));
        for (auto& byte : bytes)
            byte = static_cast<char> (random());
        host.processor.setStateInformation (bytes.data(), size);
        auto cut = before;
        if (size < static_cast<int> (cut.getSize()))
            host.processor.setStateInformation (cut.getData(), size);
    }
    host.processor.getStateInformation (after);
    CHECK (before == after);
}
