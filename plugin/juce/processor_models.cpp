// SPDX-License-Identifier: GPL-3.0-or-later
// Which model plays, and how another one takes its place.
#include "processor.hpp"

#include <thread>

namespace bandmate::plugin
{

namespace
{

using Id = protocol::ParameterId;

constexpr int poll_ms = 20;
constexpr int fade_polls = 200; // of a millisecond each; a host that stands still ends no fade

// What a model may have defaults of its own for.
constexpr Id model_parameters[] = {Id::temperature, Id::top_k, Id::guidance_style, Id::guidance_notes,
                                   Id::guidance_drums};

core::ParameterValues defaults_of (const std::string& model)
{
    const auto facts = link::load_engine_config().find (model);
    return facts ? facts->defaults : core::initial_values();
}

} // namespace

std::unique_ptr<ModelPlayer> Processor::make_player (const std::string& model)
{
    auto player = std::make_unique<ModelPlayer>();
    player->model = model;
    player->link.on_server_learned ([this] { triggerAsyncUpdate(); });
    player->link.on_task_done ([this] (const link::Task& task, const std::string& sound)
                               { take_task_result (task, sound); });
    return player;
}

// On the audio thread, or with the players' lock.
ModelPlayer& Processor::heard() const noexcept
{
    return coming_ && change_.is_over() ? *coming_ : *now_;
}

bool Processor::is_changing_model() const
{
    const std::lock_guard lock (players_guard_);
    return coming_ != nullptr;
}

link::LinkStatus Processor::link_status() const
{
    const std::lock_guard lock (players_guard_);
    return (coming_ ? *coming_ : *now_).link.status();
}

StreamFigures Processor::stream_figures() const
{
    const std::lock_guard lock (players_guard_);
    const auto& counts = heard().stream.counts();
    return {counts.underruns.load(), counts.epoch.load(), counts.offline_gave_up.load()};
}

void Processor::set_model (const std::string& model)
{
    const auto before = session().model;
    change_session ([&model] (SessionState& now) { now.model = model; });
    if (model == before)
        return;
    const auto old_defaults = coming_defaults_ ? coming_defaults_->first : defaults_of (before);
    coming_defaults_ = {old_defaults, defaults_of (model)};
    if (!is_changing_model())
        timerCallback();
}

// Only what sounds can be gone over from, and only live: an offline render begins with the new model.
bool Processor::can_go_over_to (const std::string& model) const
{
    if (!is_active_ || isNonRealtime() || !link::load_engine_config().find (model))
        return false;
    const std::lock_guard lock (players_guard_);
    return heard().link.status().phase == link::LinkPhase::playing;
}

void Processor::go_over_to (const std::string& model)
{
    for (int i = 0; i < fade_polls && change_.is_fading() && is_changing_model(); ++i)
        std::this_thread::sleep_for (std::chrono::milliseconds (1));
    end_model_change();
    if (now_->model == model) // back, before the other one had come
        return drop_coming();
    auto player = make_player (model);
    prepare_player (*player);
    keep_latency (*player);
    {
        const juce::ScopedLock no_block (getCallbackLock());
        const std::lock_guard lock (players_guard_);
        player->stream.take_over (now_->stream);
        std::swap (coming_, player);
        change_.start();
    }
    startTimer (poll_ms);
}

// A latency is constant while it plays, unless the new model needs more.
void Processor::keep_latency (ModelPlayer& coming) const
{
    coming.latency.margin += juce::jmax (0, now_->latency.total() - coming.latency.total());
    coming.stream.set_latency (static_cast<uint32_t> (coming.latency.total()));
}

// When the new model has taken over: the old one goes.
void Processor::end_model_change()
{
    std::unique_ptr<ModelPlayer> old; // its thread may want the lock while it ends
    {
        const juce::ScopedLock no_block (getCallbackLock());
        const std::lock_guard lock (players_guard_);
        if (!coming_ || !change_.is_over())
            return;
        old = std::exchange (now_, std::move (coming_));
    }
    setLatencySamples (now_->latency.total());
}

void Processor::drop_coming()
{
    std::unique_ptr<ModelPlayer> dropped;
    const juce::ScopedLock no_block (getCallbackLock());
    const std::lock_guard lock (players_guard_);
    std::swap (dropped, coming_);
}

void Processor::timerCallback()
{
    end_model_change();
    if (is_changing_model())
        return;
    stopTimer();
    if (const auto defaults = std::exchange (coming_defaults_, std::nullopt))
        bring_defaults (defaults->first, defaults->second);
    updateHostDisplay (ChangeDetails().withNonParameterStateChanged (true));
}

// Those of the new model, where the value is still the old one's.
void Processor::bring_defaults (const core::ParameterValues& before, const core::ParameterValues& after)
{
    for (const auto id : model_parameters)
    {
        const auto i = static_cast<size_t> (id);
        auto* parameter = parameters_.getParameter (parameter_id::of (id));
        const auto value_of = [parameter] (double value)
        {
            return parameter->convertTo0to1 (static_cast<float> (value));
        };
        if (before[i] != after[i] && std::abs (parameter->getValue() - value_of (before[i])) < 1e-6f)
            parameter->setValueNotifyingHost (value_of (after[i]));
    }
}

// The model's own where it has one.
float Processor::default_value (const juce::RangedAudioParameter& parameter) const
{
    const std::lock_guard lock (players_guard_);
    if (const auto& facts = (coming_ ? *coming_ : *now_).facts)
        for (const auto id : model_parameters)
            if (parameter.getParameterID() == parameter_id::of (id))
                return parameter.convertTo0to1 (
                    static_cast<float> (facts->defaults[static_cast<size_t> (id)]));
    return parameter.getDefaultValue();
}

} // namespace bandmate::plugin
