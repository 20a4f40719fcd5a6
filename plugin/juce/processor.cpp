// SPDX-License-Identifier: GPL-3.0-or-later
#include "processor.hpp"

#include "editor/editor.hpp"
#include "editor/status_text.hpp"
#include "prompts_xml.hpp"
#include "read_out.hpp"

namespace bandmate::plugin
{

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
    : AudioProcessor (buses()), parameters_ (*this, nullptr, "parameters", make_parameter_layout()),
      now_ (make_player ({}))
{
    addParameter (new ReadOut ("status", "Status", [this] { return status_text (link_status()); }));
    addParameter (new ReadOut (
        "underruns", "Underruns",
        [this] { return juce::String (static_cast<juce::int64> (stream_figures().underruns)); }));
    change_session ([] (SessionState&) {}); // the surface knows the slots from the start
}

Processor::~Processor()
{
    stopTimer();
    now_->link.end(); // before what their threads call goes
    if (coming_)
        coming_->link.end();
    cancelPendingUpdate();
}

SessionState Processor::session() const
{
    const std::lock_guard lock (guard_);
    return session_;
}

void Processor::set_session (const SessionState& session)
{
    change_session ([&session] (SessionState& now) { now = session; });
}

void Processor::set_prompt (int slot, const std::string& text)
{
    const auto kept =
        cut_text (juce::String::fromUTF8 (text.c_str()), protocol::limits::prompt_bytes_maximum);
    change_session ([&] (SessionState& now) { now.prompts.at (static_cast<size_t> (slot)) = kept; });
}

void Processor::set_point (int slot, SurfacePoint point)
{
    change_session ([&] (SessionState& now) { now.points.at (static_cast<size_t> (slot)) = point; });
}

// Any thread but the audio thread: an editor and the end of a task may change different parts at once.
void Processor::change_session (const std::function<void (SessionState&)>& change)
{
    std::string model;
    bool is_other_model = false, is_other_latency = false;
    {
        const std::lock_guard lock (guard_);
        const auto before = session_;
        change (session_);
        model = session_.model;
        is_other_model = before.model != model;
        is_other_latency = before.latency != session_.latency;
        SlotFlags filled{};
        for (size_t slot = 0; slot < filled.size(); ++slot)
            filled[slot] = session_.is_filled (slot);
        surface_.set (session_.points, filled);
    }
    if (getSampleRate() <= 0.0)
        return;
    if (is_other_model && !is_other_latency && can_go_over_to (model))
    {
        go_over_to (model);
    }
    else if (is_other_model || is_other_latency)
    {
        if (is_other_model)
            drop_coming();
        // The user's own act, so the latency may change with it; no block runs meanwhile.
        const juce::ScopedLock no_block (getCallbackLock());
        apply_model();
    }
    request_session();
}

EditorSize Processor::editor_size() const
{
    const std::lock_guard lock (guard_);
    return editor_size_;
}

void Processor::set_editor_size (EditorSize size)
{
    const std::lock_guard lock (guard_);
    editor_size_ = size;
}

void Processor::set_latency_mode (const std::string& mode)
{
    change_session ([&mode] (SessionState& now) { now.latency = mode; });
}

std::string Processor::latency_mode() const
{
    if (auto mode = session().latency; !mode.empty())
        return mode;
    const auto mode = link::load_engine_config().latency;
    return mode.empty() ? "auto" : mode;
}

core::LatencyTerms Processor::latency_terms() const
{
    const std::lock_guard lock (players_guard_);
    return now_->latency;
}

double Processor::latency_ms() const
{
    return getSampleRate() > 0.0 ? 1000.0 * getLatencySamples() / getSampleRate() : 0.0;
}

double Processor::frame_ms() const
{
    const std::lock_guard lock (players_guard_);
    const auto& facts = now_->facts;
    return facts ? 1000.0 * facts->frame_samples / facts->sample_rate_hz : 0.0;
}

void Processor::prepareToPlay (double, int)
{
    output_.prepare (getSampleRate(), reader_.gain(), reader_.limits());
    apply_model();
    request_session();
    is_active_ = true;
    if (std::exchange (is_new_, false) && now_->facts)
        bring_defaults (core::initial_values(), now_->facts->defaults);
}

void Processor::releaseResources()
{
    is_active_ = false; // the session stays: hosts release and prepare for small reasons
}

// Makes the streams fit their models, the host's rate and its block; no block is processed meanwhile.
void Processor::apply_model()
{
    end_model_change();
    find_facts(); // settles the session's model
    const auto model = session().model;
    const std::lock_guard lock (players_guard_);
    if (!coming_)
        now_->model = model;
    max_block_ = juce::jmax (1, getBlockSize());
    change_.prepare (getSampleRate(), max_block_);
    prepare_player (*now_);
    if (coming_)
    {
        prepare_player (*coming_);
        keep_latency (*coming_);
    }
    setLatencySamples (now_->latency.total());
}

void Processor::prepare_player (ModelPlayer& player)
{
    player.facts = link::load_engine_config().find (player.model);
    player.latency = {};
    player.is_prepared = player.facts.has_value();
    if (!player.facts)
        return;
    const auto max_block = static_cast<uint32_t> (juce::jmax (1, getBlockSize()));
    const auto ahead = player.stream.prepare ({*player.facts, getSampleRate(), max_block});
    player.latency = latency_for (*player.facts, ahead);
    player.stream.set_latency (static_cast<uint32_t> (player.latency.total()));
}

// A server on another machine has told its models and how far away it is: nothing has sounded yet.
void Processor::handleAsyncUpdate()
{
    if (getSampleRate() <= 0.0)
        return;
    {
        const juce::ScopedLock no_block (getCallbackLock());
        apply_model();
    }
    request_session();
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
    input.network_ms = facts.network_ms;
    return core::latency (input, core::latency_choice (latency_mode()));
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
        request.prompts = session_.prompts;
        for (size_t slot = 0; slot < request.sounds.size(); ++slot)
            request.sounds[slot] = session_.sounds[slot].sound;
        request.bank = session_.bank;
    }
    request.server = link::load_engine_config().server;
    request.host = juce::PluginHostType().getHostDescription();
    const std::lock_guard lock (players_guard_);
    for (auto* player : {now_.get(), coming_.get()})
        if (player != nullptr)
        {
            request.model = player->model;
            request.facts = player->facts;
            player->link.request (request);
        }
}

// Hosts call it from any thread.
void Processor::reset()
{
    reset_requested_.store (true, std::memory_order_release);
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
    block = save_state (session, parameters_.copyState(), editor_size());
}

void Processor::setStateInformation (const void* data, int bytes)
{
    auto state = load_state (data, bytes);
    if (!state)
        return;
    if (state->parameters.hasType (parameters_.state.getType()))
    {
        complete_parameters (state->parameters, getParameters());
        parameters_.replaceState (state->parameters);
    }
    is_new_ = false;
    coming_defaults_.reset();
    if (state->editor.width > 0)
        set_editor_size (state->editor);
    state->session.program =
        juce::jlimit (0, static_cast<int> (factory_presets().size()) - 1, state->session.program);
    set_session (state->session);
}

} // namespace bandmate::plugin
