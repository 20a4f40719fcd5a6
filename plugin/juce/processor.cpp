// SPDX-License-Identifier: GPL-3.0-or-later
#include "processor.hpp"

#include "audio_block_hooks.hpp"
#include "editor/editor.hpp"
#include "editor/status_line.hpp"
#include "read_out.hpp"

#include <bandmate/core/midi.hpp>

namespace bandmate::plugin
{

namespace
{

constexpr double gain_ramp_seconds = 0.02;

} // namespace

// No side chain in LV2: its ports are optional there, and JUCE 7.0.5 reads them where a host has left them
// unconnected.
Processor::BusesProperties Processor::buses()
{
    const auto output = BusesProperties().withOutput ("Output", juce::AudioChannelSet::stereo(), true);
    if (juce::PluginHostType::getPluginLoadedAs() == wrapperType_LV2)
        return output;
    return output.withInput ("Side Chain", juce::AudioChannelSet::stereo(), false);
}

Processor::Processor()
    : AudioProcessor (buses()), parameters_ (*this, nullptr, "parameters", make_parameter_layout())
{
    addParameter (new ReadOut ("status", "Status", [this] { return status_text (link_status()); }));
    addParameter (new ReadOut (
        "underruns", "Underruns",
        [this] { return juce::String (static_cast<juce::int64> (stream_counts().underruns.load())); }));
}

Processor::~Processor() = default;

SessionState Processor::session() const
{
    const std::lock_guard lock (guard_);
    return session_;
}

void Processor::set_session (const SessionState& session)
{
    bool is_other_model = false;
    {
        const std::lock_guard lock (guard_);
        is_other_model = session.model != session_.model;
        session_ = session;
    }
    if (getSampleRate() <= 0.0)
        return;
    if (is_other_model)
    {
        // The user's own act, so the latency may change with it; no block runs meanwhile.
        const juce::ScopedLock no_block (getCallbackLock());
        apply_model();
    }
    request_session();
}

core::LatencyTerms Processor::latency_terms() const
{
    const std::lock_guard lock (guard_);
    return latency_;
}

double Processor::latency_ms() const
{
    return getSampleRate() > 0.0 ? 1000.0 * getLatencySamples() / getSampleRate() : 0.0;
}

void Processor::prepareToPlay (double, int)
{
    gain_.reset (getSampleRate(), gain_ramp_seconds);
    gain_.setCurrentAndTargetValue (reader_.gain());
    apply_model();
    request_session();
    is_active_ = true;
}

void Processor::releaseResources()
{
    is_active_ = false; // the session stays: hosts release and prepare for small reasons
}

// Makes the stream fit the model, the host's rate and its block; no block is processed meanwhile.
void Processor::apply_model()
{
    auto facts = find_facts();
    {
        const std::lock_guard lock (guard_);
        facts_ = std::move (facts);
        latency_ = {};
    }
    is_stream_ready_ = false;
    max_block_ = juce::jmax (1, getBlockSize());
    if (facts_)
    {
        const auto ahead = stream_.prepare ({*facts_, getSampleRate(), static_cast<uint32_t> (max_block_)});
        const auto terms = latency_for (*facts_, ahead);
        stream_.set_latency (static_cast<uint32_t> (terms.total()));
        const std::lock_guard lock (guard_);
        latency_ = terms;
        is_stream_ready_ = true;
    }
    setLatencySamples (latency_.total());
}

// Of the session's model, by default the one the settings name. nullopt if this machine does not know it.
std::optional<core::ModelFacts> Processor::find_facts()
{
    const auto config = link::load_engine_config();
    const std::lock_guard lock (guard_);
    if (session_.model.empty())
        session_.model = config.default_model;
    return config.find (session_.model);
}

core::LatencyTerms Processor::latency_for (const core::ModelFacts& facts,
                                           uint32_t resampler_ahead_samples) const
{
    core::LatencyInput input;
    input.host_rate_hz = getSampleRate();
    input.max_block_samples = static_cast<uint32_t> (juce::jmax (1, getBlockSize()));
    input.model_rate_hz = facts.sample_rate_hz;
    input.frame_samples = facts.frame_samples;
    input.model_delay_samples = facts.delay_samples;
    input.resampler_ahead_samples = resampler_ahead_samples;
    input.budget_ms = facts.budget_ms;
    input.margin_ms = core::default_margin_ms;
    return core::latency (input);
}

// JUCE's own hosting code reads the latency after it has told rate and block size, but before it activates
// the plugin, and so before prepareToPlay. The question about the bus layout lies between the two.
void Processor::announce_latency()
{
    const auto facts = find_facts();
    setLatencySamples (
        facts ? latency_for (*facts, core::Stream::ahead_samples (*facts, getSampleRate())).total() : 0);
}

void Processor::request_session()
{
    link::SessionRequest request;
    {
        const std::lock_guard lock (guard_);
        request.model = session_.model;
        request.facts = facts_;
        request.prompts = session_.prompts;
    }
    request.host = juce::PluginHostType().getHostDescription();
    link_.request (std::move (request));
}

void Processor::reset()
{
    stream_.request_reset();
}

void Processor::processBlock (juce::AudioBuffer<float>& buffer, juce::MidiBuffer& midi)
{
    const AudioBlockMark mark (isNonRealtime());
    const juce::ScopedNoDenormals no_denormals;
    const int total = buffer.getNumSamples();
    const int outputs = getTotalNumOutputChannels();
    const int side_chain_channels = getTotalNumInputChannels();
    if (!is_stream_ready_ || outputs < 2)
    {
        buffer.clear();
        return;
    }

    const auto context = this->context();
    auto event = midi.cbegin();
    // A host may send more than it prepared for: then in parts.
    for (int start = 0; start < total || start == 0; start += max_block_)
    {
        const int count = juce::jmin (max_block_, total - start);
        stream_.begin (static_cast<uint32_t> (count), context);
        for (; event != midi.cend() && ((*event).samplePosition < start + count || start + count == total);
             ++event)
        {
            const auto message = *event;
            if (const auto parsed =
                    core::event_of_midi (message.data, static_cast<size_t> (message.numBytes)))
                stream_.add (static_cast<uint32_t> (juce::jmax (0, message.samplePosition - start)), *parsed);
        }
        // Before the output is written: it may lie in the same memory.
        if (side_chain_channels >= 2)
            stream_.add_side_chain (buffer.getReadPointer (0, start), buffer.getReadPointer (1, start));
        stream_.finish (buffer.getWritePointer (0, start), buffer.getWritePointer (1, start));
        if (count == 0)
            break;
    }
    for (int channel = 2; channel < buffer.getNumChannels(); ++channel)
        buffer.clear (channel, 0, total);
    apply_gain (buffer);
}

core::BlockContext Processor::context() const noexcept
{
    core::BlockContext context;
    context.parameters = reader_.for_server();
    context.restart_on_play = reader_.restart_on_play();
    context.is_offline = isNonRealtime();
    if (const auto* head = getPlayHead())
        if (const auto position = head->getPosition())
        {
            context.transport.is_playing = position->getIsPlaying();
            context.transport.is_recording = position->getIsRecording();
            context.transport.is_looping = position->getIsLooping();
            context.transport.tempo_bpm =
                juce::jlimit (0.0, protocol::tempo_maximum, position->getBpm().orFallback (0.0));
            context.transport.position_samples = position->getTimeInSamples().orFallback (0);
        }
    return context;
}

void Processor::apply_gain (juce::AudioBuffer<float>& buffer) noexcept
{
    gain_.setTargetValue (reader_.gain());
    gain_.applyGain (buffer, buffer.getNumSamples());
}

bool Processor::isBusesLayoutSupported (const BusesLayout& layout) const
{
    if (getSampleRate() > 0.0 && !is_active_)
        const_cast<Processor*> (this)->announce_latency();
    const auto side_chain = layout.getChannelSet (true, 0);
    return layout.getMainOutputChannelSet() == juce::AudioChannelSet::stereo() &&
           (side_chain.isDisabled() || side_chain == juce::AudioChannelSet::stereo());
}

juce::AudioProcessorEditor* Processor::createEditor()
{
    return new Editor (*this);
}

void Processor::getStateInformation (juce::MemoryBlock& block)
{
    auto session = this->session();
    if (session.model.empty())
        session.model = link::load_engine_config().default_model;
    block = save_state (session, parameters_.copyState());
}

void Processor::setStateInformation (const void* data, int bytes)
{
    auto state = load_state (data, bytes);
    if (!state)
        return;
    if (state->parameters.hasType (parameters_.state.getType()))
        parameters_.replaceState (state->parameters);
    set_session (state->session);
}

} // namespace bandmate::plugin
