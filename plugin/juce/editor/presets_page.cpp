// SPDX-License-Identifier: GPL-3.0-or-later
#include "presets_page.hpp"

#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int own_width = 330;
constexpr int columns = 3;
constexpr int item_height = 28;
constexpr int item_gap = 4;
constexpr int group_title_height = 24;
constexpr int group_gap = 10;

int group_height (const juce::String& group)
{
    int height = group_title_height + group_gap;
    for (const auto& preset : factory_presets())
        height += preset.group == group ? item_height + item_gap : 0;
    return height;
}

// Calls place (group's or preset's bounds): groups one below the other, in as many columns as there are.
template <typename OnGroup, typename OnPreset>
void lay_out (juce::Rectangle<int> area, OnGroup on_group, OnPreset on_preset)
{
    const int width = (area.getWidth() - (columns - 1) * 16) / columns;
    auto column = area.removeFromLeft (width);
    juce::String group;
    const auto& presets = factory_presets();
    for (size_t i = 0; i < presets.size(); ++i)
    {
        if (presets[i].group != group)
        {
            if (group.isNotEmpty())
                column.removeFromTop (group_gap);
            group = presets[i].group;
            if (column.getHeight() < group_height (group) - group_gap)
            {
                area.removeFromLeft (16);
                column = area.removeFromLeft (width);
            }
            on_group (group, column.removeFromTop (group_title_height));
        }
        on_preset (i, column.removeFromTop (item_height));
        column.removeFromTop (item_gap);
    }
}

} // namespace

PresetsPage::PresetsPage (Processor& processor) : processor_ (processor)
{
    for (const auto& preset : factory_presets())
    {
        auto& button = *factory_.emplace_back (make_button (preset.name, "Loads " + preset.name + ".",
                                                            [this, &preset]
                                                            {
                                                                processor_.load_preset (preset);
                                                                refresh();
                                                            }));
        button.setTooltip ({});
        button.getProperties().set ("left", true);
        addAndMakeVisible (button);
    }
    own_.on_open = [this] (const juce::String& name)
    {
        load (name);
    };
    own_.on_select = [this]
    {
        refresh();
    };
    addAndMakeVisible (own_);
    describe (name_, "Name of the preset", "The name under which it is saved. Return saves it.");
    name_.setTextToShowWhenEmpty ("name", theme::dim.withAlpha (0.7f));
    name_.setFont (theme::font (theme::text_height));
    name_.setIndents (10, 0);
    name_.setJustification (juce::Justification::centredLeft);
    name_.onReturnKey = [this]
    {
        save();
    };
    name_.onTextChange = [this]
    {
        refresh();
    };
    addAndMakeVisible (name_);
    save_ = make_button ("Save", "Saves the styles, their places and the sound's parameters under this name.",
                         [this] { save(); });
    load_ = make_button ("Load", "Loads the chosen preset.", [this] { load (own_.selected()); });
    remove_ = make_button ("Delete", "Deletes the chosen preset's file.", [this] { remove(); });
    for (auto* button : {save_.get(), load_.get(), remove_.get()})
        addAndMakeVisible (button);
    refresh();
}

void PresetsPage::refresh()
{
    const auto session = processor_.session();
    const auto name = session.preset.empty() ? factory_presets()[static_cast<size_t> (session.program)].name
                                             : juce::String::fromUTF8 (session.preset.c_str());
    for (size_t i = 0; i < factory_.size(); ++i)
        factory_[i]->setToggleState (factory_presets()[i].name == name, juce::dontSendNotification);
    own_.set (library_.names(), name);
    save_->setEnabled (PresetLibrary::legal_name (name_.getText()).isNotEmpty());
    load_->setEnabled (own_.selected().isNotEmpty());
    remove_->setEnabled (own_.selected().isNotEmpty());
}

void PresetsPage::load (const juce::String& name)
{
    if (name.isEmpty())
        return;
    const auto preset = library_.load (name);
    message_ =
        preset ? juce::String() : "The file of '" + name + "' cannot be read. Save it again, or delete it.";
    if (preset)
        processor_.load_preset (*preset);
    refresh();
    repaint();
}

void PresetsPage::save()
{
    const auto name = PresetLibrary::legal_name (name_.getText());
    if (name.isEmpty())
        return;
    const bool is_saved = library_.save (processor_.make_preset (name));
    message_ = is_saved ? "Saved as '" + name + "'."
                        : "It cannot be written into " + PresetLibrary::default_folder().getFullPathName() +
                              ". Is there room, and may you write there?";
    refresh();
    repaint();
}

void PresetsPage::remove()
{
    const auto name = own_.selected();
    if (name.isEmpty())
        return;
    message_ = library_.remove (name) ? "'" + name + "' is deleted." : "'" + name + "' cannot be deleted.";
    refresh();
    repaint();
}

juce::Rectangle<int> PresetsPage::factory_area() const
{
    return getLocalBounds().withTrimmedRight (own_width + theme::gap);
}

juce::Rectangle<int> PresetsPage::own_area() const
{
    return getLocalBounds().removeFromRight (own_width);
}

void PresetsPage::paint (juce::Graphics& g)
{
    theme::draw_card (g, factory_area(), "FACTORY");
    theme::draw_card (g, own_area(), "YOURS");
    lay_out (
        theme::inside_card (factory_area()),
        [&g] (const juce::String& group, juce::Rectangle<int> area)
        {
            g.setColour (theme::dim);
            g.setFont (theme::font (theme::small_height));
            g.drawText (group, area, juce::Justification::centredLeft);
        },
        [] (size_t, juce::Rectangle<int>) {});
    g.setColour (theme::dim);
    g.setFont (theme::font (theme::small_height));
    g.drawFittedText (message_, theme::inside_card (own_area()).removeFromBottom (34),
                      juce::Justification::centredLeft, 2);
}

void PresetsPage::resized()
{
    lay_out (
        theme::inside_card (factory_area()), [] (const juce::String&, juce::Rectangle<int>) {},
        [this] (size_t i, juce::Rectangle<int> area) { factory_[i]->setBounds (area); });
    auto own = theme::inside_card (own_area());
    own.removeFromBottom (40);
    auto saving = own.removeFromBottom (32);
    save_->setBounds (saving.removeFromRight (76));
    saving.removeFromRight (8);
    name_.setBounds (saving);
    own.removeFromBottom (8);
    auto loading = own.removeFromBottom (32);
    remove_->setBounds (loading.removeFromRight (loading.getWidth() / 2 - 4));
    loading.removeFromRight (8);
    load_->setBounds (loading);
    own.removeFromBottom (8);
    own_.setBounds (own);
}

} // namespace bandmate::plugin
