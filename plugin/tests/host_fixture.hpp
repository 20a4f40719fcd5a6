// SPDX-License-Identifier: GPL-3.0-or-later
// A host for the processor that ships: prepares it and calls it, live unless told otherwise.
#pragma once

#include "server_fixture.hpp"

#include <processor.hpp>

#include <vector>

namespace bandmate::tests
{

struct Playhead : juce::AudioPlayHead
{
    juce::Optional<PositionInfo> getPosition() const override
    {
        PositionInfo info;
        info.setIsPlaying (is_playing);
        info.setBpm (120.0);
        info.setTimeInSamples (position);
        return info;
    }
    bool is_playing = false;
    int64_t position = 0;
};

struct Host
{
    juce::ScopedJuceInitialiser_GUI juce;
    plugin::Processor processor;
    Playhead playhead;
    juce::MidiBuffer midi;
    double rate;
    int block;

    // Without the limiter: what comes out is judged sample by sample.
    explicit Host (double rate_hz = 48000.0, int block_samples = 512) : rate (rate_hz), block (block_samples)
    {
        processor.setPlayHead (&playhead);
        parameter ("limiter").setValueNotifyingHost (0.0f);
        prepare (rate_hz, block_samples);
    }

    void prepare (double rate_hz, int block_samples)
    {
        rate = rate_hz;
        block = block_samples;
        processor.setRateAndBufferSizeDetails (rate, block);
        processor.prepareToPlay (rate, block);
    }

    void process (juce::AudioBuffer<float>& buffer)
    {
        const juce::ScopedLock lock (processor.getCallbackLock());
        processor.processBlock (buffer, midi);
        playhead.position += buffer.getNumSamples();
        midi.clear();
    }

    // `total` samples of the left channel, in blocks of `size`.
    std::vector<float> render (int total, int size)
    {
        std::vector<float> out;
        for (int done = 0; done < total; done += size)
        {
            juce::AudioBuffer<float> buffer (2, size);
            process (buffer);
            out.insert (out.end(), buffer.getReadPointer (0), buffer.getReadPointer (0) + size);
        }
        return out;
    }

    bool becomes_ready()
    {
        return wait_for ([this] { return processor.link_status().prompts_in_force; });
    }

    juce::RangedAudioParameter& parameter (const juce::String& id)
    {
        return *processor.parameters().getParameter (id);
    }

    void set (const juce::String& id, float value) // in the parameter's own unit
    {
        parameter (id).setValueNotifyingHost (parameter (id).convertTo0to1 (value));
    }
};

} // namespace bandmate::tests
