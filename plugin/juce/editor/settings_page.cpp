// SPDX-License-Identifier: GPL-3.0-or-later
#include "settings_page.hpp"

#include "status_text.hpp"

#include "../presets.hpp"
#include "../processor.hpp"

#include <bandmate/link/engine_settings.hpp>
#include <bandmate/link/folders.hpp>
#include <bandmate/protocol/errors.hpp>

namespace bandmate::plugin
{

namespace
{

constexpr int fixed_mode = 3;
constexpr int label_width = 92;
constexpr int folders_height = 196;
constexpr int folder_row = 46;
const char* const modes[] = {"auto", "low", "safe"};

juce::File file_of (const std::filesystem::path& path)
{
    return juce::File (juce::String::fromUTF8 (path.c_str()));
}

void set_up_field (juce::TextEditor& field, const juce::String& title, const juce::String& help,
                   const juce::String& text_when_empty)
{
    describe (field, title, help);
    field.setTextToShowWhenEmpty (text_when_empty, theme::dim.withAlpha (0.7f));
    field.setFont (theme::font (theme::text_height));
    field.setIndents (10, 0);
    field.setJustification (juce::Justification::centredLeft);
}

} // namespace

SettingsPage::SettingsPage (Processor& processor)
    : processor_ (processor), mode_ ("Latency", {"Auto", "Low", "Safe", "Fixed"},
                                     {"What was measured on this machine, and room for ordinary jitter.",
                                      "As little room as works on a machine that does nothing else.",
                                      "For a busy machine.", "So many milliseconds in all."})
{
    mode_.on_choose = [this] (int index)
    {
        choose_mode (index);
    };
    addAndMakeVisible (mode_);
    set_up_field (milliseconds_, "Fixed latency in milliseconds",
                  "The whole latency, as far as the terms that nothing can shorten allow. Return puts it in "
                  "force.",
                  "ms");
    milliseconds_.setInputRestrictions (7, "0123456789.");
    milliseconds_.onReturnKey = [this]
    {
        apply_latency();
    };
    milliseconds_.onFocusLost = [this]
    {
        apply_latency();
    };
    set_up_field (command_, "Server command", "What starts the server on this machine.",
                  "run `bandmate plugin install`");
    set_up_field (address_, "Server address", "Of a server on another machine. Empty: a server on this one.",
                  "this machine");
    set_up_field (key_, "Server key", "What the server on the other machine asks for.", "none");
    key_.setPasswordCharacter (0x2022);
    apply_ = make_button ("Apply", "Writes command, address and key into this machine's settings.",
                          [this] { apply_server(); });
    for (auto* child :
         std::initializer_list<juce::Component*>{&milliseconds_, &command_, &address_, &key_, apply_.get()})
        addAndMakeVisible (child);

    const auto add_folder = [this] (const juce::String& name, const juce::File& file)
    {
        auto& folder = folders_.emplace_back (Folder{name, file, {}});
        folder.open = make_button ("Open", "Opens " + name.toLowerCase() + ".",
                                   [file]
                                   {
                                       if (!file.exists() && file.getFileExtension().isEmpty())
                                           file.createDirectory();
                                       if (file.isDirectory())
                                           file.startAsProcess();
                                       else
                                           file.revealToUser();
                                   });
        addAndMakeVisible (*folder.open);
    };
    add_folder ("Models", file_of (link::config_folder()).getChildFile ("models"));
    add_folder ("Presets", PresetLibrary::default_folder());
    add_folder ("Server's log", file_of (link::log_file()));
    folders_.back().open->onClick = []
    {
        const auto log = file_of (link::log_file());
        if (!log.startAsProcess())
            log.revealToUser();
    };
    read();
    refresh();
}

void SettingsPage::read()
{
    const auto settings = link::load_engine_settings();
    command_.setText (juce::String::fromUTF8 (link::command_line (settings.command).c_str()), false);
    address_.setText (juce::String::fromUTF8 (settings.server_address.c_str()), false);
    key_.setText (juce::String::fromUTF8 (settings.server_key.c_str()), false);
    command_.setCaretPosition (0);
    message_.clear();
}

void SettingsPage::refresh()
{
    const auto mode = juce::String (processor_.latency_mode());
    const auto choice = core::latency_choice (mode.toStdString());
    const bool is_fixed = choice.mode == core::LatencyChoice::Mode::fixed;
    int index = is_fixed ? fixed_mode : 0;
    for (int i = 0; i < fixed_mode; ++i)
        if (mode == modes[i])
            index = i;
    mode_.choose (index);
    milliseconds_.setEnabled (is_fixed);
    if (!milliseconds_.hasKeyboardFocus (true))
        milliseconds_.setText (is_fixed ? juce::String (choice.total_ms) : juce::String(), false);
    const auto terms = processor_.latency_terms();
    const auto shown = juce::StringArray{juce::String (terms.frame),  juce::String (terms.block),
                                         juce::String (terms.budget), juce::String (terms.margin),
                                         juce::String (terms.model),  juce::String (terms.resampler),
                                         juce::String (terms.network)}
                           .joinIntoString (" ");
    if (shown != shown_terms_)
    {
        shown_terms_ = shown;
        repaint (latency_area());
    }
}

void SettingsPage::choose_mode (int index)
{
    if (index < fixed_mode)
        processor_.set_latency_mode (modes[index]);
    else // from where it is now
        processor_.set_latency_mode (
            juce::String (juce::jmax (1, juce::roundToInt (std::ceil (processor_.latency_ms()))))
                .toStdString());
    refresh();
}

void SettingsPage::apply_latency()
{
    const auto text = milliseconds_.getText().trim();
    if (milliseconds_.isEnabled() && text.getDoubleValue() > 0.0)
        processor_.set_latency_mode (text.toStdString());
    refresh();
}

void SettingsPage::apply_server()
{
    try
    {
        auto settings = link::load_engine_settings();
        settings.command = link::words_of_line (command_.getText().trim().toStdString());
        settings.server_address = address_.getText().trim().toStdString();
        settings.server_key = key_.getText().trim().toStdString();
        link::store_engine_settings (settings);
        processor_.set_model (processor_.session().model); // looks for the server again if it is another one
        message_ = "Saved. A new command counts from the next time a server is started.";
    }
    catch (const protocol::Error& error)
    {
        message_ =
            juce::String::fromUTF8 (error.what()) + " " + juce::String::fromUTF8 (error.hint().c_str());
    }
    repaint();
}

juce::Rectangle<int> SettingsPage::latency_area() const
{
    return getLocalBounds().removeFromLeft (400);
}

juce::Rectangle<int> SettingsPage::server_area() const
{
    return getLocalBounds()
        .withTrimmedLeft (400 + theme::gap)
        .withTrimmedBottom (folders_height + theme::gap);
}

juce::Rectangle<int> SettingsPage::folders_area() const
{
    return getLocalBounds().withTrimmedLeft (400 + theme::gap).removeFromBottom (folders_height);
}

void SettingsPage::paint (juce::Graphics& g)
{
    theme::draw_card (g, latency_area(), "LATENCY OF THIS TRACK");
    theme::draw_card (g, server_area(), "SERVER");
    theme::draw_card (g, folders_area(), "FOLDERS");
    paint_terms (g, theme::inside_card (latency_area()).withTrimmedTop (96));
    g.setFont (theme::font (theme::title_height));
    g.setColour (milliseconds_.isEnabled() ? theme::text : theme::dim);
    g.drawText ("Fixed: milliseconds in all",
                theme::inside_card (latency_area()).withTrimmedTop (44).removeFromTop (32),
                juce::Justification::centredLeft);

    g.setFont (theme::font (theme::title_height));
    auto server = theme::inside_card (server_area());
    g.setColour (theme::text);
    for (const auto* label : {"Command", "Address", "Key"})
    {
        g.drawText (label, server.removeFromTop (32).removeFromLeft (label_width),
                    juce::Justification::centredLeft);
        server.removeFromTop (8);
    }
    g.setColour (theme::dim);
    g.drawFittedText (
        message_.isEmpty()
            ? "One server serves all tracks of this machine; a plugin starts it when it needs it. With "
              "an address, a server elsewhere is used instead."
            : message_,
        server.withTrimmedRight (120).removeFromTop (52), juce::Justification::centredLeft, 3, 1.0f);

    auto list = theme::inside_card (folders_area());
    for (const auto& folder : folders_)
    {
        auto row = list.removeFromTop (folder_row).withTrimmedRight (90);
        g.setColour (theme::text);
        g.drawText (folder.name, row.removeFromLeft (label_width), juce::Justification::centredLeft);
        g.setColour (theme::dim);
        g.drawText (with_short_paths (folder.file.getFullPathName()), row, juce::Justification::centredLeft);
    }
}

void SettingsPage::paint_terms (juce::Graphics& g, juce::Rectangle<int> area) const
{
    const auto terms = processor_.latency_terms();
    const double to_ms = processor_.getSampleRate() > 0.0 ? 1000.0 / processor_.getSampleRate() : 0.0;
    const std::pair<const char*, int> rows[] = {{"A frame: its input must be whole", terms.frame},
                                                {"The host's block", terms.block},
                                                {"What a frame costs here", terms.budget},
                                                {"Room for jitter", terms.margin},
                                                {"The model's own delay", terms.model},
                                                {"Resampling", terms.resampler},
                                                {"The network, there and back", terms.network}};
    g.setFont (theme::font (theme::title_height));
    for (const auto& [name, samples] : rows)
    {
        auto row = area.removeFromTop (26);
        g.setColour (theme::dim);
        g.drawText (name, row, juce::Justification::centredLeft);
        g.drawText (juce::String (samples * to_ms, 1) + " ms", row, juce::Justification::centredRight);
    }
    g.setColour (theme::outline);
    g.fillRect (area.removeFromTop (9).withSizeKeepingCentre (area.getWidth(), 1));
    auto row = area.removeFromTop (30);
    g.setColour (theme::text);
    g.setFont (theme::font (theme::text_height, true));
    g.drawText ("Reported to the host", row, juce::Justification::centredLeft);
    g.drawText (juce::String (terms.total() * to_ms, 1) + " ms", row, juce::Justification::centredRight);
    area.removeFromTop (8);
    g.setColour (theme::dim);
    g.setFont (theme::font (theme::small_height));
    g.drawFittedText (
        "The host plays the track so much earlier, so that it is heard in time. A change takes a moment "
        "of silence, as hosts want it.",
        area.removeFromTop (40), juce::Justification::topLeft, 2, 1.0f);
}

void SettingsPage::resized()
{
    auto latency = theme::inside_card (latency_area());
    mode_.setBounds (latency.removeFromTop (34));
    latency.removeFromTop (10);
    milliseconds_.setBounds (latency.removeFromTop (32).removeFromRight (90));

    auto server = theme::inside_card (server_area());
    for (auto* field : {&command_, &address_, &key_})
    {
        field->setBounds (server.removeFromTop (32).withTrimmedLeft (label_width));
        server.removeFromTop (8);
    }
    apply_->setBounds (server.removeFromTop (52).removeFromRight (100).withSizeKeepingCentre (100, 32));

    auto list = theme::inside_card (folders_area());
    for (auto& folder : folders_)
        folder.open->setBounds (
            list.removeFromTop (folder_row).removeFromRight (80).withSizeKeepingCentre (80, 30));
}

} // namespace bandmate::plugin
