// SPDX-License-Identifier: GPL-3.0-or-later
// Takes pictures of the editor that ships in each of its states, and says on its last line what they show.
// Plays in real time meanwhile, with whatever server and model the environment names. With "dropping", the
// sound FOLDER/dropped.wav is dropped wherever the editor takes one.
//
//     editor_pictures FOLDER playing|failing|dropping
#include <editor/editor.hpp>
#include <processor.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>

using namespace bandmate;
using plugin::Editor;
using plugin::Processor;

namespace
{

constexpr double rate = 48000.0;
constexpr int block = 512;
constexpr auto limit = std::chrono::seconds (90);

class Studio
{
public:
    explicit Studio (juce::File folder) : folder_ (std::move (folder))
    {
        processor.setRateAndBufferSizeDetails (rate, block);
        processor.prepareToPlay (rate, block);
        editor.reset (static_cast<Editor*> (processor.createEditorIfNeeded()));
    }

    ~Studio() { editor.reset(); }

    void play (double seconds)
    {
        const auto count = static_cast<int> (seconds * rate / block);
        auto due = std::chrono::steady_clock::now();
        for (int i = 0; i < count; ++i)
        {
            juce::AudioBuffer<float> buffer (2, block);
            {
                const juce::ScopedLock lock (processor.getCallbackLock());
                processor.processBlock (buffer, midi);
            }
            midi.clear();
            due += std::chrono::microseconds (static_cast<int> (1e6 * block / rate));
            std::this_thread::sleep_until (due);
        }
    }

    // False at the time limit.
    bool play_until (const std::function<bool()>& done)
    {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done() && std::chrono::steady_clock::now() < end)
            play (0.1);
        return done();
    }

    void take (const std::string& name, float scale = 1.0f)
    {
        editor->refresh();
        const auto image = editor->createComponentSnapshot (editor->getLocalBounds(), true, scale);
        const auto file = folder_.getChildFile (name + ".png");
        file.deleteFile();
        juce::FileOutputStream stream (file);
        juce::PNGImageFormat().writeImageToStream (image, stream);
        taken.push_back (name);
    }

    void load (const plugin::Preset& preset)
    {
        processor.load_preset (preset);
        play (0.2);
        play_until ([&] { return processor.link_status().prompts_in_force; });
    }

    void set (const juce::String& id, float value)
    {
        auto* parameter = processor.parameters().getParameter (id);
        parameter->setValueNotifyingHost (parameter->convertTo0to1 (value));
    }

    Processor processor;
    std::unique_ptr<Editor> editor;
    juce::MidiBuffer midi;
    std::vector<std::string> taken;

    juce::File file (const juce::String& name) const { return folder_.getChildFile (name); }

private:
    juce::File folder_;
};

// As a click does, which would come only with the next message.
bool press (juce::Component& parent, const juce::String& title)
{
    for (auto* child : parent.getChildren())
    {
        auto* button = dynamic_cast<juce::Button*> (child);
        if (button != nullptr && button->getTitle() == title)
        {
            button->onClick();
            return true;
        }
        if (press (*child, title))
            return true;
    }
    return false;
}

void add_targets (juce::Component& parent, const juce::StringArray& files,
                  std::vector<juce::FileDragAndDropTarget*>& found)
{
    for (auto* child : parent.getChildren())
    {
        if (!child->isVisible())
            continue;
        auto* target = dynamic_cast<juce::FileDragAndDropTarget*> (child);
        if (target != nullptr && target->isInterestedInFileDrag (files))
            found.push_back (target);
        add_targets (*child, files, found);
    }
}

// As a file manager does with a drag that ends here. Says what came of each.
std::vector<std::string> drop_everywhere (Studio& studio, Editor::Page page, const juce::File& sound)
{
    studio.editor->show_page (page);
    const juce::StringArray files{sound.getFullPathName()};
    std::vector<juce::FileDragAndDropTarget*> targets;
    add_targets (*studio.editor, files, targets);
    std::vector<std::string> results;
    for (auto* target : targets)
    {
        target->fileDragEnter (files, 5, 5);
        target->filesDropped (files, 5, 5);
        studio.play_until ([&] { return !studio.processor.task_status().is_running; });
        const auto status = studio.processor.task_status();
        results.push_back (status.problem.empty() ? status.result : "failed: " + status.problem);
    }
    return results;
}

nlohmann::json drop_files (Studio& studio)
{
    studio.play_until ([&] { return studio.processor.link_status().prompts_in_force; });
    const auto sound = studio.file ("dropped.wav"), text = studio.file ("dropped.txt");
    nlohmann::json report;
    report["text_taken"] = drop_everywhere (studio, Editor::Page::play, text).size();
    report["slots"] = drop_everywhere (studio, Editor::Page::play, sound);
    report["audio_page"] = drop_everywhere (studio, Editor::Page::audio, sound);
    const auto session = studio.processor.session();
    for (const auto& own : session.sounds)
        report["styles"].push_back (own.sound.empty() ? "" : own.name);
    report["bank"] = session.bank;
    return report;
}

const plugin::Preset& preset_named (const juce::String& name)
{
    for (const auto& preset : plugin::factory_presets())
        if (preset.name == name)
            return preset;
    return plugin::factory_presets().front();
}

void picture_pages (Studio& studio)
{
    studio.play_until ([&] { return studio.processor.link_status().prompts_in_force; });
    for (const int note : {48, 64, 67, 72})
        studio.midi.addEvent (juce::MidiMessage::noteOn (1, note, juce::uint8 (100)), 0);
    studio.play_until ([&] { return studio.processor.link_status().frame_ms_p50 > 0.0; });
    studio.play (0.5);
    studio.load (preset_named ("Piano and Strings"));
    studio.take ("main");
    studio.take ("main_2x", 2.0f);

    studio.load (preset_named ("Orchestra Map"));
    studio.take ("surface");

    studio.editor->setSize (756, 504);
    studio.take ("small");
    studio.editor->setSize (1080, 720);

    plugin::PresetLibrary library;
    for (const auto* name : {"Rainy Sunday", "Chorus lift", "Verse, soft"})
        library.save (studio.processor.make_preset (name));
    studio.editor->show_page (Editor::Page::presets);
    studio.take ("presets");

    for (const auto* name : {"before the drop", "quiet opening", "second verse"})
        Processor::banks_folder().getChildFile (juce::String (name) + ".safetensors").replaceWithText ("");
    studio.editor->show_page (Editor::Page::banks);
    press (*studio.editor, "Take it");
    studio.play_until ([&] { return !studio.processor.task_status().is_running; });
    studio.take ("banks");

    studio.editor->show_page (Editor::Page::audio);
    studio.take ("audio");
    studio.editor->show_page (Editor::Page::settings);
    studio.take ("settings");
}

void picture_error (Studio& studio)
{
    studio.play_until ([&] { return studio.processor.link_status().phase == link::LinkPhase::failed; });
    studio.take ("error");
}

} // namespace

int main (int argc, char** argv)
{
    if (argc != 3)
    {
        std::fputs ("usage: editor_pictures FOLDER playing|failing|dropping\n", stderr);
        return 2;
    }
    const juce::ScopedJuceInitialiser_GUI juce;
    Studio studio (juce::File::getCurrentWorkingDirectory().getChildFile (juce::String::fromUTF8 (argv[1])));
    nlohmann::json dropped;
    if (std::string (argv[2]) == "failing")
        picture_error (studio);
    else if (std::string (argv[2]) == "dropping")
        dropped = drop_files (studio);
    else
        picture_pages (studio);
    const auto status = studio.processor.link_status();
    const nlohmann::json report{{"pictures", studio.taken},
                                {"problem", status.problem},
                                {"dropped", dropped},
                                {"ready", status.prompts_in_force},
                                {"latency_ms", studio.processor.latency_ms()},
                                {"memory_mb", status.server_memory_mb}};
    std::printf ("%s\n", report.dump().c_str());
    return 0;
}
