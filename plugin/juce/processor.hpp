// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model_change.hpp"
#include "model_player.hpp"
#include "note_exchange.hpp"
#include "output_stage.hpp"
#include "parameters.hpp"
#include "presets.hpp"
#include "session_state.hpp"

#include <juce_audio_processors/juce_audio_processors.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace bandmate::plugin
{

// What the stream has counted, at a moment.
struct StreamFigures
{
    uint64_t underruns = 0;
    uint32_t epoch = 0;
    bool offline_gave_up = false;
};

// The plugin as hosts see it. Translates between JUCE and core::Stream, and owns the link to the server. The
// link starts when a host first prepares the plugin, never in the constructor: hosts construct plugins to
// look at them.
class Processor : public juce::AudioProcessor,
                  public juce::VST3ClientExtensions,
                  private juce::AsyncUpdater,
                  private juce::Timer
{
public:
    Processor();
    ~Processor() override;

    // What an editor shows and changes; message thread.
    juce::AudioProcessorValueTreeState& parameters() noexcept { return parameters_; }
    SessionState session() const;
    void set_session (const SessionState& session);
    // The model that plays goes on until the new one has been loaded and takes over. The new one's defaults
    // come with it, where the old one's were not touched.
    void set_model (const std::string& model);
    bool is_changing_model() const;
    void set_prompt (int slot, const std::string& text); // cut to what the protocol takes
    void set_point (int slot, SurfacePoint point);       // the slot's place on the surface
    StyleWeights style_weights() const noexcept { return reader_.style_weights (surface_); } // as heard
    NoteExchange& notes() noexcept { return notes_; }
    LevelMeter& meter() noexcept { return output_.meter(); }
    EditorSize editor_size() const;
    void set_editor_size (EditorSize size);
    link::LinkStatus link_status() const; // of the model that was asked for
    StreamFigures stream_figures() const; // of the model that is heard
    // Auto, low, safe or milliseconds, see core::latency_choice; empty: as the machine's settings say. The
    // stream begins anew, as hosts want it when a latency changes.
    void set_latency_mode (const std::string& mode);
    std::string latency_mode() const; // in force
    core::LatencyTerms latency_terms() const;
    double latency_ms() const;
    double frame_ms() const; // what a frame of the model may take; 0 without a model

    // Presets set the styles, their places and the parameters that shape the sound; what a preset does not
    // name goes to its default. What belongs to the track stays. Message thread.
    void load_preset (const Preset& preset);
    Preset make_preset (const juce::String& name) const;

    // What a user asks for beside playing; message thread. Each returns at once, how it goes task_status()
    // says; one runs at a time, false: another does. Nothing that plays is disturbed.
    bool capture_style (int slot, double seconds);             // of the side chain, 2 to 10
    bool use_prompt_audio (int slot, const juce::File& sound); // a sound file as the style of a slot
    void clear_prompt_audio (int slot);                        // the slot follows its text again
    bool continue_from_input (double seconds);                 // of the side chain, 2 to 28
    bool continue_from_file (const juce::File& sound);
    bool save_bank (const juce::File& bank);                      // the stream as it is now
    void arm_bank (const juce::File& bank);                       // what a reset and a restart begin with
    void clear_bank();                                            // they begin afresh
    bool reset_to_bank();                                         // now
    bool save_take (const juce::File& wav, double seconds = 600); // the last seconds; notes beside it (.mid)
    void cancel_task();
    link::TaskStatus task_status() const;
    bool has_side_chain() const;      // whether the host sends it anything
    static juce::File banks_folder(); // where they lie unless the user says otherwise; made if missing

    void prepareToPlay (double sample_rate, int max_block) override;
    void releaseResources() override;
    void reset() override;
    void processBlock (juce::AudioBuffer<float>& buffer, juce::MidiBuffer& midi) override;
    void processBlockBypassed (juce::AudioBuffer<float>& buffer, juce::MidiBuffer& midi) override;
    using juce::AudioProcessor::processBlock;
    using juce::AudioProcessor::processBlockBypassed;
    juce::AudioProcessorParameter* getBypassParameter() const override;

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

    // The factory presets, for hosts that have a menu of programs.
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
    std::unique_ptr<ModelPlayer> make_player (const std::string& model);
    ModelPlayer& heard() const noexcept;
    void apply_model();
    void prepare_player (ModelPlayer& player);
    void keep_latency (ModelPlayer& coming) const;
    bool can_go_over_to (const std::string& model) const;
    void go_over_to (const std::string& model);
    void end_model_change();
    void drop_coming();
    void bring_defaults (const core::ParameterValues& before, const core::ParameterValues& after);
    float default_value (const juce::RangedAudioParameter& parameter) const;
    bool start_task (link::Task task);
    void handleAsyncUpdate() override;
    void timerCallback() override;
    void request_session();
    static std::string new_bank();
    void take_task_result (const link::Task& task, const std::string& sound);
    void change_session (const std::function<void (SessionState&)>& change);
    core::BlockContext context() const noexcept;
    void process (juce::AudioBuffer<float>& buffer, const juce::MidiBuffer& midi) noexcept;
    void show (const protocol::Event& event) noexcept;

    juce::AudioProcessorValueTreeState parameters_;
    ParameterReader reader_{parameters_};
    SharedSurface surface_;
    NoteExchange notes_;
    OutputStage output_;

    // Changed while no block is processed and with the lock, in this order: the audio thread reads them
    // without one.
    mutable std::mutex players_guard_;
    std::unique_ptr<ModelPlayer> now_;    // never null
    std::unique_ptr<ModelPlayer> coming_; // while another model is being loaded
    ModelChange change_;
    int max_block_ = 0;
    std::atomic<bool> reset_requested_{false};

    mutable std::mutex guard_; // the two below; neither lock is taken on the audio thread
    SessionState session_;
    EditorSize editor_size_;

    bool is_active_ = false; // between prepareToPlay and releaseResources
    bool is_new_ = true;     // neither prepared nor given a state yet
    // Of the model that goes and the one that comes.
    std::optional<std::pair<core::ParameterValues, core::ParameterValues>> coming_defaults_;

    bool was_playing_ = false; // the audio thread's own
};

} // namespace bandmate::plugin
