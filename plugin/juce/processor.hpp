// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "parameters.hpp"
#include "session_state.hpp"

#include <bandmate/core/latency.hpp>
#include <bandmate/core/stream.hpp>
#include <bandmate/link/link.hpp>

#include <juce_audio_processors/juce_audio_processors.h>

#include <mutex>
#include <optional>

namespace bandmate::plugin
{

// The plugin as hosts see it. Translates between JUCE and core::Stream, and owns the link to the server. The
// link starts when a host first prepares the plugin, never in the constructor: hosts construct plugins to
// look at them.
class Processor : public juce::AudioProcessor, public juce::VST3ClientExtensions
{
public:
    Processor();
    ~Processor() override;

    // What an editor shows and changes; message thread.
    juce::AudioProcessorValueTreeState& parameters() noexcept { return parameters_; }
    SessionState session() const;
    void set_session (const SessionState& session);
    link::LinkStatus link_status() const { return link_.status(); }
    const core::StreamCounts& stream_counts() const noexcept { return stream_.counts(); }
    core::LatencyTerms latency_terms() const;
    double latency_ms() const;

    void prepareToPlay (double sample_rate, int max_block) override;
    void releaseResources() override;
    void reset() override;
    void processBlock (juce::AudioBuffer<float>& buffer, juce::MidiBuffer& midi) override;
    using juce::AudioProcessor::processBlock;

    bool isBusesLayoutSupported (const BusesLayout& layout) const override;
    bool getPluginHasMainInput() const override { return false; } // VST3: the input bus is a side chain

    juce::AudioProcessorEditor* createEditor() override;
    bool hasEditor() const override { return true; }

    void getStateInformation (juce::MemoryBlock& block) override;
    void setStateInformation (const void* data, int bytes) override;

    const juce::String getName() const override { return JucePlugin_Name; }
    bool acceptsMidi() const override { return true; }
    bool producesMidi() const override { return false; }
    double getTailLengthSeconds() const override { return 0.0; }
    int getNumPrograms() override { return 1; }
    int getCurrentProgram() override { return 0; }
    void setCurrentProgram (int) override {}
    const juce::String getProgramName (int) override
    {
        return "Default";
    } // strict VST3 hosts refuse an empty name
    void changeProgramName (int, const juce::String&) override {}

private:
    static BusesProperties buses();
    core::LatencyTerms latency_for (const core::ModelFacts& facts, uint32_t resampler_ahead_samples) const;
    void announce_latency();
    std::optional<core::ModelFacts> find_facts();
    void apply_model();
    void request_session();
    core::BlockContext context() const noexcept;
    void apply_gain (juce::AudioBuffer<float>& buffer) noexcept;

    juce::AudioProcessorValueTreeState parameters_;
    ParameterReader reader_{parameters_};
    link::Link link_;
    core::Stream stream_{link_.segments(), link_.progress()};
    juce::SmoothedValue<float> gain_;

    mutable std::mutex guard_; // the rest; never taken on the audio thread
    SessionState session_;
    std::optional<core::ModelFacts> facts_; // the grid the stream is prepared for
    core::LatencyTerms latency_;
    bool is_active_ = false; // between prepareToPlay and releaseResources

    // Written while no block is processed, read by the audio thread.
    bool is_stream_ready_ = false;
    int max_block_ = 0;
};

} // namespace bandmate::plugin
